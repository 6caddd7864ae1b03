/* The REST client: keep-alive connections to one server on 127.0.0.1, each of which asks again when it is answered.
 *
 * One thread, epoll. The lines of --requests are each connection's own "METHOD PATH TOKEN"; --body is what all of them
 * send, with %n the request's number and %t its time in ns. Every answer must have the --status and a Content-Length.
 * It warms up, waits for what is under way, prints "begin" and waits for a line on stdin, asks for the given time,
 * waits for what is under way, and prints "end" and one line of JSON. It ends itself after --limit seconds.
 * Exit: 0 measured, 1 unknown option, 2 the run could not be done (one sentence on stderr).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 256, ANSWER = 1 << 18, REQUEST = 4096, HEAD = 1024, EVENTS = 64, TURN_MS = 100 };
static const uint64_t SECOND = 1000000000u;
static const char LENGTH[] = "\r\ncontent-length:";

struct client {
    int fd;
    char head[HEAD]; /* the request without its body */
    uint64_t asked;
    size_t got, whole; /* bytes of the answer; `whole` is 0 until its head has come */
    char answer[ANSWER];
};

static struct {
    int port, status, limit;
    double warmup, seconds;
    const char *requests, *body;
} opt = {.status = 200, .limit = 60, .warmup = 0.7, .seconds = 2};

static struct client *clients[CLIENTS];
static int epoll, connections, waiting;
static uint64_t asked, answered, bytes;
static bool asking;
static struct {
    uint64_t *at;
    size_t count, room;
} latency;

static void die(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    fputs("rest: ", stderr);
    vfprintf(stderr, format, rest);
    fputc('\n', stderr);
    va_end(rest);
    exit(2);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void note_latency(uint64_t value) {
    if (latency.count == latency.room) {
        latency.room = latency.room ? latency.room * 2 : 4096;
        latency.at = realloc(latency.at, latency.room * sizeof *latency.at);
        if (!latency.at) die("out of memory");
    }
    latency.at[latency.count++] = value;
}

/* ---- out ---- */

static size_t write_body(char *to, size_t room, uint64_t time) {
    size_t length = 0;
    for (const char *p = opt.body; *p && length + 32 < room; p++) {
        if (*p != '%') to[length++] = *p;
        else if (*++p == 'n') length += (size_t)snprintf(to + length, room - length, "%" PRIu64, asked);
        else if (*p == 't') length += (size_t)snprintf(to + length, room - length, "%" PRIu64, time);
        else die("%%%c in the body is neither %%n nor %%t", *p);
    }
    to[length] = 0;
    return length;
}

static void ask(struct client *c) {
    char request[REQUEST], body[REQUEST / 2] = "";
    int length;
    c->asked = now();
    c->got = c->whole = 0;
    if (opt.body) {
        size_t size = write_body(body, sizeof body, c->asked);
        length = snprintf(request, sizeof request, "%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          c->head, size, body);
    } else length = snprintf(request, sizeof request, "%s\r\n", c->head);
    if (send(c->fd, request, (size_t)length, MSG_NOSIGNAL) != length) die("send: %s", strerror(errno));
    asked++;
    waiting++;
}

/* ---- in ---- */

/* How long the answer is with its head; 0 when the head has not come whole. */
static size_t length_of(const struct client *c) {
    const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4), *at;
    if (!end) return 0;
    at = strcasestr(c->answer, LENGTH);
    if (!at || at > end) die("an answer has no Content-Length: %.*s", (int)(end - c->answer), c->answer);
    return (size_t)(end + 4 - c->answer) + strtoul(at + sizeof LENGTH - 1, NULL, 10);
}

static void take_answer(struct client *c) {
    int status = atoi(c->answer + sizeof "HTTP/1.1");
    if (status != opt.status) die("the answer is %d and not %d: %.400s", status, opt.status, c->answer);
    note_latency(now() - c->asked);
    answered++;
    waiting--;
    bytes += c->whole;
    if (asking) ask(c);
}

static void read_client(struct client *c) {
    ssize_t n = recv(c->fd, c->answer + c->got, sizeof c->answer - 1 - c->got, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("the server closed a connection");
    c->got += (size_t)n;
    c->answer[c->got] = 0;
    if (!c->whole) c->whole = length_of(c);
    if (c->whole >= sizeof c->answer) die("an answer of %zu bytes came", c->whole);
    if (!c->whole || c->got < c->whole) return;
    if (c->got > c->whole) die("%zu bytes came that nobody asked for", c->got - c->whole);
    take_answer(c);
}

static void turn(void) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll, events, EVENTS, TURN_MS);
    for (int i = 0; i < n; i++) read_client(events[i].data.ptr);
}

/* ---- the run ---- */

static void open_client(const char *method, const char *path, const char *token) {
    struct client *c = calloc(1, sizeof *c);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    if (!c || connections == CLIENTS) die("more than %d connections", CLIENTS);
    snprintf(c->head, sizeof c->head,
             "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\nAuthorization: Bearer %s\r\n", method, path,
             opt.port, token);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
    clients[connections++] = c;
}

static void open_all(void) {
    char method[16], path[256], token[600];
    FILE *file = fopen(opt.requests, "r");
    if (!file) die("%s: %s", opt.requests, strerror(errno));
    while (fscanf(file, "%15s %255s %599s", method, path, token) == 3) open_client(method, path, token);
    fclose(file);
    if (!connections) die("%s has no line", opt.requests);
}

/* Asks for the given seconds and waits until all is answered. */
static void ask_and_drain(double seconds) {
    uint64_t stop = now() + (uint64_t)(seconds * (double)SECOND);
    asking = true;
    for (int i = 0; i < connections; i++) ask(clients[i]);
    while (now() < stop) turn();
    asking = false;
    while (waiting) turn();
}

static void wait_for_go(void) {
    char c = 0;
    puts("begin");
    while (c != '\n')
        if (read(STDIN_FILENO, &c, 1) != 1) die("stdin ended before the run began");
}

static double cpu_seconds(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile_ms(double q) {
    qsort(latency.at, latency.count, sizeof *latency.at, compare);
    return (double)latency.at[(size_t)(q * (double)(latency.count - 1) + 0.5)] / 1e6;
}

static void measure(void) {
    ask_and_drain(opt.warmup);
    wait_for_go();
    answered = bytes = 0;
    latency.count = 0;
    double cpu = cpu_seconds();
    uint64_t begin = now();
    ask_and_drain(opt.seconds);
    double seconds = (double)(now() - begin) / (double)SECOND;
    cpu = cpu_seconds() - cpu;
    puts("end");
    printf("{\"requests\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.6f", answered, bytes, seconds);
    printf(",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"client_cpu_s\":%.3f}\n", quantile_ms(0.5), quantile_ms(0.99), cpu);
}

static void take_options(int argc, char **argv) {
    static const struct option options[] = {
        {"port", 1, 0, 'p'},   {"requests", 1, 0, 'r'}, {"body", 1, 0, 'b'},  {"status", 1, 0, 's'},
        {"warmup", 1, 0, 'W'}, {"seconds", 1, 0, 't'},  {"limit", 1, 0, 'l'}, {0, 0, 0, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
            case 'p': opt.port = atoi(optarg); break;
            case 'r': opt.requests = optarg; break;
            case 'b': opt.body = optarg; break;
            case 's': opt.status = atoi(optarg); break;
            case 'W': opt.warmup = atof(optarg); break;
            case 't': opt.seconds = atof(optarg); break;
            case 'l': opt.limit = atoi(optarg); break;
            default: exit(1);
        }
    }
    if (opt.port < 1 || !opt.requests) die("--port and --requests are needed");
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    take_options(argc, argv);
    alarm((unsigned)opt.limit);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die("cannot start: %s", strerror(errno));
    open_all();
    measure();
    return 0;
}
