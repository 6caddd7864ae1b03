/* The load client: many WebSocket members of one server on 127.0.0.1, one thread, epoll.
 *
 * It opens the members, warms up, drains, prints "begin" and waits for a line on stdin, sends for the given time,
 * drains, prints "end" and one line of JSON, and waits for the end of stdin. Whoever runs it reads the server's
 * counters at "begin" and at "end": nothing is under way at either. See bench/README.md for the options.
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, SAMPLED = 64, BUFFER = 1 << 18, FRAME = 1 << 16, EVENTS = 256 };
static const uint64_t SECOND = 1000000000u;
static const unsigned char MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

enum state { UPGRADING, GREETING, READY, CLOSED };

struct bytes {
    unsigned char *at;
    size_t length, room;
};

struct member {
    int fd, index;
    enum state state;
    bool sender, sampled, deaf;
    char *rest; /* of its line of --first: what is not yet sent or waited for */
    const char *awaited;
    struct bytes partial; /* the beginning of a frame whose end has not come */
    struct bytes unsent;
    uint64_t expected, received;
};

struct sent {
    uint64_t at;
    int32_t owner; /* the member that waits for the acknowledgement, -1 when it came */
};

struct numbers {
    uint64_t *at;
    size_t count, room;
};

struct lines {
    char **at;
    size_t count;
};

static struct {
    int port, connections, senders, window, never_read, limit, sites;
    double rate, warmup, seconds, drain;
    bool idle, joined, quick_ack;
    const char *path, *subprotocol, *ready, *delivery, *stamp, *message;
    char *ack_before, *ack_after;
    struct lines first, rooms;
} opt = {.path = "/",
         .delivery = "{\"message\":",
         .stamp = "\"@",
         .window = 1,
         .sites = 1,
         .limit = 120,
         .warmup = 0.7,
         .seconds = 2.5,
         .drain = 5};

static struct {
    uint64_t sent, acked, delivered, expected, reads, frames, other, closed;
} count;

static struct member *members;
static struct member **senders;
static int epoll, timer, ready;
static uint64_t armed;
static bool sending, opened;
static struct {
    struct sent *at;
    size_t room;
} sent;
static struct numbers ack_latency, delivery_latency;
static unsigned char buffer[BUFFER];

static void die(const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    fputs("load: ", stderr);
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

static void *grown(void *at, size_t *room, size_t needed, size_t item) {
    if (needed <= *room) return at;
    while (*room < needed) *room = *room ? *room * 2 : 256;
    at = realloc(at, *room * item);
    if (!at) die("out of memory");
    return at;
}

static void note(struct numbers *numbers, uint64_t value) {
    numbers->at = grown(numbers->at, &numbers->room, numbers->count + 1, sizeof(uint64_t));
    numbers->at[numbers->count++] = value;
}

static void keep(struct bytes *bytes, const unsigned char *from, size_t length) {
    bytes->at = grown(bytes->at, &bytes->room, length, 1);
    memmove(bytes->at, from, length);
    bytes->length = length;
}

/* ---- out ---- */

static void watch(struct member *m, uint32_t events) {
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = m};
    epoll_ctl(epoll, EPOLL_CTL_MOD, m->fd, &event);
}

static void close_member(struct member *m) {
    if (m->state == CLOSED) return;
    if (!opened) die("member %d was closed by the server before it was ready", m->index);
    close(m->fd);
    m->state = CLOSED;
    count.closed++;
}

static void flush(struct member *m) {
    ssize_t n = send(m->fd, m->unsent.at, m->unsent.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) close_member(m);
    if (n > 0) keep(&m->unsent, m->unsent.at + n, m->unsent.length - (size_t)n);
    if (m->state != CLOSED && !m->unsent.length) watch(m, EPOLLIN);
}

static void write_bytes(struct member *m, const unsigned char *bytes, size_t length) {
    ssize_t n = m->unsent.length ? 0 : send(m->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) {
        close_member(m);
        return;
    }
    if (n < 0) n = 0;
    if ((size_t)n == length) return;
    size_t rest = length - (size_t)n;
    m->unsent.at = grown(m->unsent.at, &m->unsent.room, m->unsent.length + rest, 1);
    memcpy(m->unsent.at + m->unsent.length, bytes + n, rest);
    m->unsent.length += rest;
    watch(m, EPOLLIN | EPOLLOUT);
}

static void write_frame(struct member *m, int opcode, const unsigned char *payload, size_t length) {
    static unsigned char frame[FRAME + 8];
    size_t head = 2;
    if (length >= FRAME) die("a frame of %zu bytes is more than the contract allows", length);
    frame[0] = (unsigned char)(0x80 | opcode);
    frame[1] = (unsigned char)(0x80 | (length < 126 ? length : 126));
    if (length >= 126) {
        frame[head++] = (unsigned char)(length >> 8);
        frame[head++] = (unsigned char)length;
    }
    memcpy(frame + head, MASK, sizeof MASK);
    head += sizeof MASK;
    for (size_t i = 0; i < length; i++) frame[head + i] = payload[i] ^ MASK[i & 3];
    write_bytes(m, frame, head + length);
}

/* Writes the message: %n its number, %t its time, %N and %T both with leading zeros, %s the index of its sender, %r the
 * line of --rooms of its member. */
static void send_message(struct member *m, uint64_t at) {
    static char text[FRAME];
    size_t length = 0;
    uint64_t number = count.sent++;
    if (m->state == CLOSED) die("sender %d was closed by the server", m->index);
    sent.at = grown(sent.at, &sent.room, number + 1, sizeof(struct sent));
    sent.at[number] = (struct sent){.at = at, .owner = m->index};
    for (const char *p = opt.message; *p && length < sizeof text - 32; p++) {
        char *to = text + length;
        size_t left = sizeof text - length;
        if (*p != '%') text[length++] = *p;
        else if (*++p == 'n') length += (size_t)snprintf(to, left, "%" PRIu64, number);
        else if (*p == 't') length += (size_t)snprintf(to, left, "%" PRIu64, at);
        else if (*p == 'N') length += (size_t)snprintf(to, left, "%09" PRIu64, number);
        else if (*p == 'T') length += (size_t)snprintf(to, left, "%019" PRIu64, at);
        else if (*p == 's') length += (size_t)snprintf(to, left, "%d", m->index);
        else if (*p == 'r') length += (size_t)snprintf(to, left, "%s", opt.rooms.at[m->index]);
        else die("%%%c in the message is none of %%n %%t %%N %%T %%s %%r", *p);
    }
    m->expected += (uint64_t)opt.sites;
    count.expected += (uint64_t)opt.sites * (opt.rooms.count ? 1 : (uint64_t)(opt.connections - opt.never_read));
    write_frame(m, 1, (unsigned char *)text, length);
}

/* ---- in ---- */

static const unsigned char *find(const unsigned char *in, size_t length, const char *what) {
    const unsigned char *at = memmem(in, length, what, strlen(what));
    return at ? at + strlen(what) : NULL;
}

/* The digits at `at`, which may be followed by the end of the frame; *end is the first byte that is none. */
static uint64_t digits(const unsigned char *at, const unsigned char *limit, const unsigned char **end) {
    uint64_t value = 0;
    while (at < limit && *at >= '0' && *at <= '9') value = value * 10 + (uint64_t)(*at++ - '0');
    *end = at;
    return value;
}

static bool begins(const unsigned char *at, size_t length, const char *what) {
    size_t n = strlen(what);
    return length >= n && !memcmp(at, what, n);
}

static bool acknowledged(struct member *m, const unsigned char *p, size_t length) {
    const unsigned char *end, *at = find(p, length, opt.ack_before);
    if (!at) return false;
    uint64_t number = digits(at, p + length, &end);
    if (end == at || !begins(end, (size_t)(p + length - end), opt.ack_after)) return false;
    if (number >= count.sent || sent.at[number].owner != m->index) return false;
    sent.at[number].owner = -1;
    count.acked++;
    note(&ack_latency, now() - sent.at[number].at);
    return true;
}

static void become_ready(struct member *m) {
    m->state = READY;
    ready++;
    if (!m->deaf) return;
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    epoll_ctl(epoll, EPOLL_CTL_DEL, m->fd, NULL);
    getsockname(m->fd, (struct sockaddr *)&own, &size);
    printf("deaf %d\n", ntohs(own.sin_port));
}

/* Sends the next frame of the member's line of --first, and remembers the text that it waits for after it. */
static void greet(struct member *m) {
    const char *frame = strsep(&m->rest, "\t");
    m->awaited = strsep(&m->rest, "\t");
    if (!m->awaited) m->awaited = opt.ready;
    if (frame) write_frame(m, 1, (const unsigned char *)frame, strlen(frame));
    m->state = GREETING;
    if (!m->awaited) become_ready(m);
}

static void count_delivery(struct member *m, const unsigned char *p, size_t length) {
    const unsigned char *end, *at;
    m->received++;
    count.delivered++;
    if (m->sampled && (at = find(p, length, opt.stamp))) {
        uint64_t stamp = digits(at, p + length, &end), time = now();
        if (stamp && stamp <= time) note(&delivery_latency, time - stamp);
    }
}

static void take_answer(struct member *m, const unsigned char *p, size_t length) {
    bool delivery = begins(p, length, opt.delivery), ack = m->sender && acknowledged(m, p, length);
    if (delivery) count_delivery(m, p, length);
    if (!delivery && !ack && find(p, length, "\"error\":"))
        die("member %d was refused: %.*s", m->index, (int)length, p);
    if (!delivery && !ack && opened) count.other++;
    if (ack && sending && opt.rate == 0) send_message(m, now());
}

/* Takes a frame apart before each --delivery in it. */
static void take_joined(struct member *m, const unsigned char *p, size_t length) {
    const unsigned char *end = p + length, *next = find(p, length, opt.delivery);
    size_t head = strlen(opt.delivery);
    if (!next || next != p + head) take_answer(m, p, next ? (size_t)(next - head - p) : length);
    while (next) {
        const unsigned char *begin = next - head;
        next = find(next, (size_t)(end - next), opt.delivery);
        take_answer(m, begin, (size_t)((next ? next - head : end) - begin));
    }
}

static void take_text(struct member *m, const unsigned char *p, size_t length) {
    if (length == 2 && !memcmp(p, "{}", 2)) {
        write_frame(m, 1, p, 2);
        return;
    }
    if (length == 1 && *p == '2') { /* Engine.IO's ping */
        write_frame(m, 1, (const unsigned char *)"3", 1);
        return;
    }
    if (m->state == GREETING) {
        if (find(p, length, m->awaited)) {
            if (m->rest) greet(m);
            else become_ready(m);
        } else if (find(p, length, "\"error\":") || find(p, length, "\"bye\":"))
            die("member %d got %.*s", m->index, (int)length, p);
        return;
    }
    if (opt.joined) take_joined(m, p, length);
    else take_answer(m, p, length);
}

static void take_frame(struct member *m, int opcode, const unsigned char *payload, size_t length) {
    count.frames++;
    if (opcode == 1 || opcode == 2) take_text(m, payload, length);
    else if (opcode == 8) close_member(m);
    else if (opcode == 9) write_frame(m, 10, payload, length);
    else if (opcode != 10) die("a frame with the unexpected opcode %d came", opcode);
}

static size_t take_upgrade(struct member *m, const unsigned char *p, size_t length) {
    const unsigned char *end = find(p, length, "\r\n\r\n");
    if (!end) return 0;
    if (!begins(p, length, "HTTP/1.1 101"))
        die("the server answered the upgrade with %.*s", (int)strcspn((const char *)p, "\r"), p);
    greet(m);
    return (size_t)(end - p);
}

/* Takes what is whole of the bytes and says how many those were. */
static size_t take(struct member *m, const unsigned char *p, size_t length) {
    size_t used = m->state == UPGRADING ? take_upgrade(m, p, length) : 0;
    while (m->state != UPGRADING && m->state != CLOSED && length - used >= 2) {
        const unsigned char *frame = p + used;
        size_t head = 2, size = frame[1] & 127;
        if (size == 127) die("a frame of 64 KB or more came");
        if (size == 126) {
            if (length - used < 4) break;
            head = 4;
            size = (size_t)frame[2] << 8 | frame[3];
        }
        if (length - used < head + size) break;
        take_frame(m, frame[0] & 15, frame + head, size);
        used += head + size;
    }
    return used;
}

/* Lets the kernel acknowledge at once what came: a server that leaves Nagle's algorithm on waits for that. */
static void acknowledge_bytes(struct member *m) {
    int one = 1;
    setsockopt(m->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

/* Reads once. True when the kernel may hold more: the events are edge-triggered. */
static bool read_member(struct member *m) {
    size_t length = m->partial.length, space = sizeof buffer - 1 - length;
    if (length) memcpy(buffer, m->partial.at, length);
    ssize_t n = recv(m->fd, buffer + length, space, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) {
        close_member(m);
        return false;
    }
    count.reads++;
    if (opt.quick_ack && m->sender) acknowledge_bytes(m);
    length += (size_t)n;
    buffer[length] = 0;
    size_t used = take(m, buffer, length);
    keep(&m->partial, buffer + used, length - used);
    return (size_t)n == space && m->state != CLOSED;
}

/* Sleeps until something comes or the clock shows `until`. False when stdin has ended. */
static bool turn(uint64_t until) {
    struct epoll_event events[EVENTS];
    bool open = true;
    if (until != armed) {
        struct itimerspec at = {.it_value = {.tv_sec = (time_t)(until / SECOND), .tv_nsec = (long)(until % SECOND)}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
        armed = until;
    }
    int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
        struct member *m = events[i].data.ptr;
        uint64_t ignored;
        if (!m) {
            if (read(timer, &ignored, sizeof ignored) > 0) armed = 0;
            else if (opt.idle && read(STDIN_FILENO, &ignored, sizeof ignored) == 0) open = false;
            continue;
        }
        if (m->state != CLOSED && events[i].events & EPOLLOUT) flush(m);
        if (m->state != CLOSED && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            while (read_member(m)) {
            }
    }
    return open;
}

/* ---- the run ---- */

static void open_member(int index) {
    struct member *m = &members[index];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, small = 4096, readers = opt.connections - opt.never_read;
    char request[FRAME];
    m->index = index;
    m->rest = opt.first.count ? opt.first.at[index] : NULL;
    m->deaf = index >= readers;
    m->sampled = readers <= SAMPLED ||
                 (!m->deaf && (int64_t)index * SAMPLED / readers != (int64_t)(index + 1) * SAMPLED / readers);
    m->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (m->fd < 0) die("socket: %s", strerror(errno));
    if (m->deaf) setsockopt(m->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(m->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect: %s", strerror(errno));
    setsockopt(m->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = m};
    epoll_ctl(epoll, EPOLL_CTL_ADD, m->fd, &event);
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                          opt.path, opt.port, opt.subprotocol ? "Sec-WebSocket-Protocol: " : "",
                          opt.subprotocol ? opt.subprotocol : "", opt.subprotocol ? "\r\n" : "");
    write_bytes(m, (unsigned char *)request, (size_t)length);
}

static void open_all(void) {
    uint64_t deadline = now() + (uint64_t)opt.limit * SECOND;
    for (int begun = 0; ready < opt.connections;) {
        while (begun < opt.connections && begun - ready < IN_FLIGHT) open_member(begun++);
        turn(deadline);
        if (now() >= deadline) die("only %d of %d members were ready in time", ready, opt.connections);
    }
    opened = true;
}

static void choose_senders(void) {
    int readers = opt.connections - opt.never_read;
    senders = calloc((size_t)opt.senders + 1, sizeof *senders);
    for (int i = 0; i < opt.senders; i++) {
        senders[i] = &members[(int64_t)i * readers / opt.senders];
        senders[i]->sender = true;
    }
}

static void send_closed(uint64_t stop) {
    sending = true;
    for (int w = 0; w < opt.window; w++)
        for (int i = 0; i < opt.senders; i++) send_message(senders[i], now());
    while (now() < stop) turn(stop);
    sending = false;
}

static void send_open(uint64_t start, uint64_t stop) {
    uint64_t k = 0, due = start;
    while (due < stop) {
        for (uint64_t time = now(); due <= time && due < stop;
             due = start + (uint64_t)((double)++k * (double)SECOND / opt.rate)) {
            send_message(senders[k % (uint64_t)opt.senders], due);
        }
        if (due < stop) turn(due);
    }
}

/* Sends for the given seconds, then waits until all that was sent has arrived. False when it did not within --drain. */
static bool send_and_drain(double seconds) {
    uint64_t start = now(), stop = start + (uint64_t)(seconds * (double)SECOND);
    if (opt.rate > 0) send_open(start, stop);
    else send_closed(stop);
    uint64_t deadline = now() + (uint64_t)(opt.drain * (double)SECOND);
    while (count.delivered < count.expected || count.acked < count.sent) {
        turn(deadline);
        if (now() >= deadline) return false;
    }
    return true;
}

static void wait_for_go(void) {
    char c = 0;
    puts("begin");
    while (c != '\n')
        if (read(STDIN_FILENO, &c, 1) != 1) die("stdin ended before the run began");
}

/* Keeps the sockets open until stdin ends, so that whoever runs this can still look at them. */
static void wait_for_end(void) {
    char c;
    while (read(STDIN_FILENO, &c, 1) == 1) {
    }
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

static double quantile_ms(struct numbers *numbers, double q) {
    if (!numbers->count) return 0;
    qsort(numbers->at, numbers->count, sizeof(uint64_t), compare);
    return (double)numbers->at[(size_t)(q * (double)(numbers->count - 1) + 0.5)] / 1e6;
}

static void count_wrong(uint64_t *lost, uint64_t *extra) {
    for (int i = 0; i < opt.connections - opt.never_read; i++) {
        uint64_t expected = opt.rooms.count ? members[i].expected : count.sent * (uint64_t)opt.sites;
        uint64_t received = members[i].received;
        *lost += expected > received ? expected - received : 0;
        *extra += received > expected ? received - expected : 0;
    }
}

static void measure(void) {
    uint64_t lost = 0, extra = 0;
    if (opt.sites > 1) wait_for_go(); /* what is sent before all members are there would not reach all */
    send_and_drain(opt.warmup);
    wait_for_go();
    uint64_t sent_0 = count.sent, acked_0 = count.acked, delivered_0 = count.delivered, reads_0 = count.reads,
             frames_0 = count.frames;
    ack_latency.count = delivery_latency.count = 0;
    double cpu = cpu_seconds();
    uint64_t begin = now();
    bool drained = send_and_drain(opt.seconds);
    double seconds = (double)(now() - begin) / (double)SECOND;
    cpu = cpu_seconds() - cpu;
    puts("end");
    count_wrong(&lost, &extra);
    uint64_t deliveries = count.delivered - delivered_0, acked = count.acked - acked_0, reads = count.reads - reads_0;
    printf("{\"connections\":%d,\"sent\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"deliveries\":%" PRIu64
           ",\"lost\":%" PRIu64,
           opt.connections, count.sent - sent_0, acked, deliveries, lost);
    printf(",\"extra\":%" PRIu64 ",\"other\":%" PRIu64 ",\"closed\":%" PRIu64 ",\"drained\":%s,\"seconds\":%.6f", extra,
           count.other, count.closed, drained ? "true" : "false", seconds);
    printf(",\"deliveries_per_s\":%.1f,\"acked_per_s\":%.1f", (double)deliveries / seconds, (double)acked / seconds);
    printf(",\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f", quantile_ms(&ack_latency, 0.5), quantile_ms(&ack_latency, 0.99));
    printf(",\"delivery_p50_ms\":%.3f,\"delivery_p99_ms\":%.3f", quantile_ms(&delivery_latency, 0.5),
           quantile_ms(&delivery_latency, 0.99));
    printf(",\"client_cpu_s\":%.3f,\"frames_per_read\":%.2f}\n", cpu,
           reads ? (double)(count.frames - frames_0) / (double)reads : 0);
    wait_for_end();
}

static void hold(void) {
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0) die("stdin must be a pipe");
    puts("ready");
    while (turn(now() + SECOND)) {
    }
    printf("{\"connections\":%d,\"closed\":%" PRIu64 "}\n", opt.connections, count.closed);
}

/* ---- options ---- */

static struct lines lines_of(const char *path) {
    struct lines lines = {0};
    size_t room = 0, size = 0;
    char *line = NULL;
    FILE *file = fopen(path, "r");
    if (!file) die("%s: %s", path, strerror(errno));
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = 0;
        for (char *c = line; (c = strchr(c, '\v'));) *c = '\n';
        lines.at = grown(lines.at, &room, lines.count + 1, sizeof(char *));
        lines.at[lines.count++] = strdup(line);
    }
    free(line);
    fclose(file);
    if (lines.count < (size_t)opt.connections)
        die("%s has %zu lines for %d connections", path, lines.count, opt.connections);
    return lines;
}

static void split_ack(const char *marker) {
    const char *number = strstr(marker, "%n");
    if (!number) die("--ack needs a %%n");
    opt.ack_before = strndup(marker, (size_t)(number - marker));
    opt.ack_after = strdup(number + 2);
}

static void take_options(int argc, char **argv) {
    static const struct option options[] = {
        {"port", 1, 0, 'p'},        {"path", 1, 0, 'P'},    {"connections", 1, 0, 'c'},
        {"subprotocol", 1, 0, 'u'}, {"first", 1, 0, 'f'},   {"ready", 1, 0, 'y'},
        {"rooms", 1, 0, 'o'},       {"message", 1, 0, 'm'}, {"delivery", 1, 0, 'd'},
        {"sites", 1, 0, 'x'},       {"ack", 1, 0, 'a'},         {"stamp", 1, 0, 'S'},   {"senders", 1, 0, 's'},
        {"window", 1, 0, 'w'},      {"rate", 1, 0, 'r'},    {"warmup", 1, 0, 'W'},
        {"seconds", 1, 0, 't'},     {"drain", 1, 0, 'D'},   {"never-read", 1, 0, 'n'},
        {"idle", 0, 0, 'i'},        {"limit", 1, 0, 'l'},   {"joined", 0, 0, 'j'},
        {"quick-ack", 0, 0, 'q'},   {0, 0, 0, 0},
    };
    const char *first = NULL, *rooms = NULL, *ack = NULL;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
            case 'p': opt.port = atoi(optarg); break;
            case 'P': opt.path = optarg; break;
            case 'c': opt.connections = atoi(optarg); break;
            case 'u': opt.subprotocol = optarg; break;
            case 'f': first = optarg; break;
            case 'y': opt.ready = optarg; break;
            case 'o': rooms = optarg; break;
            case 'm': opt.message = optarg; break;
            case 'd': opt.delivery = optarg; break;
            case 'a': ack = optarg; break;
            case 'S': opt.stamp = optarg; break;
            case 's': opt.senders = atoi(optarg); break;
            case 'x': opt.sites = atoi(optarg); break;
            case 'w': opt.window = atoi(optarg); break;
            case 'r': opt.rate = atof(optarg); break;
            case 'W': opt.warmup = atof(optarg); break;
            case 't': opt.seconds = atof(optarg); break;
            case 'D': opt.drain = atof(optarg); break;
            case 'n': opt.never_read = atoi(optarg); break;
            case 'i': opt.idle = true; break;
            case 'j': opt.joined = true; break;
            case 'q': opt.quick_ack = true; break;
            case 'l': opt.limit = atoi(optarg); break;
            default: exit(1);
        }
    }
    if (opt.port < 1 || opt.connections < 1) die("--port and --connections are needed");
    if (opt.never_read < 0 || opt.never_read >= opt.connections) die("--never-read must leave somebody who reads");
    if (first) opt.first = lines_of(first);
    if (rooms) opt.rooms = lines_of(rooms);
    if (opt.idle) return;
    if (!ack || !opt.message) die("--ack and --message are needed");
    if (opt.senders < 1 || opt.senders > opt.connections - opt.never_read)
        die("--senders must be 1 up to the members that read");
    if (strstr(opt.message, "%r") && !opt.rooms.count) die("%%r in the message needs --rooms");
    split_ack(ack);
}

static void raise_file_limit(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < (rlim_t)opt.connections + 16)
        die("%d connections need ulimit -n above %d", opt.connections, opt.connections + 16);
}

int main(int argc, char **argv) {
    struct epoll_event event = {.events = EPOLLIN};
    setvbuf(stdout, NULL, _IOLBF, 0);
    take_options(argc, argv);
    alarm((unsigned)opt.limit);
    raise_file_limit();
    members = calloc((size_t)opt.connections, sizeof *members);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!members || epoll < 0 || timer < 0) die("cannot start: %s", strerror(errno));
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    if (!opt.idle) choose_senders();
    open_all();
    if (opt.idle) hold();
    else measure();
    return 0;
}
