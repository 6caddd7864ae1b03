/* "The limit": what one core can do when every message costs one send(2) a member and nothing else. One thread, epoll.
 *
 * Speaks to the load client as bench/naive.py does: a text frame with Veche's `send` becomes one frame with Veche's
 * `message`, of the same size, sent to all who are connected, the sender too. There is one room, no joining of frames
 * and no store. GET without an upgrade answers 200, so that the harness sees when it is up. Usage: limit PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

enum { BUFFER = 1 << 18, MEMBERS = 20000, EVENTS = 256 };

struct bytes {
    unsigned char *at;
    size_t length, room;
};

struct member {
    int fd, place; /* its place among the members, -1 before the upgrade */
    struct bytes partial, unsent;
};

static struct member *room[MEMBERS];
static int epoll, listener, members;
static uint64_t messages;
static unsigned char buffer[BUFFER];

static void fail(const char *what) {
    fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void append(struct bytes *bytes, const unsigned char *from, size_t length) {
    if (bytes->length + length > bytes->room) {
        bytes->room = (bytes->length + length) * 2;
        bytes->at = realloc(bytes->at, bytes->room);
        if (!bytes->at) fail("memory");
    }
    memcpy(bytes->at + bytes->length, from, length);
    bytes->length += length;
}

static void watch(struct member *m, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = m};
    epoll_ctl(epoll, EPOLL_CTL_MOD, m->fd, &event);
}

/* A broken connection is noticed and closed when it is read, so that nobody leaves the room while it is walked. */
static void write_bytes(struct member *m, const unsigned char *bytes, size_t length) {
    ssize_t n = m->unsent.length ? 0 : send(m->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n == (ssize_t)length || (n < 0 && errno != EAGAIN)) return;
    if (n < 0) n = 0;
    append(&m->unsent, bytes + n, length - (size_t)n);
    watch(m, EPOLLIN | EPOLLOUT);
}

static void flush(struct member *m) {
    ssize_t n = send(m->fd, m->unsent.at, m->unsent.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) n = errno == EAGAIN ? 0 : (ssize_t)m->unsent.length;
    m->unsent.length -= (size_t)n;
    memmove(m->unsent.at, m->unsent.at + n, m->unsent.length);
    if (!m->unsent.length) watch(m, EPOLLIN);
}

static void leave(struct member *m) {
    if (m->place >= 0) {
        room[m->place] = room[--members];
        room[m->place]->place = m->place;
    }
    close(m->fd);
    free(m->partial.at);
    free(m->unsent.at);
    free(m);
}

/* ---- the handshake ---- */

static uint32_t rotated(uint32_t x, int by) { return x << by | x >> (32 - by); }

static void sha1_block(uint32_t h[5], const unsigned char *p) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? (b & c) | (~b & d)
                     : i < 40 ? b ^ c ^ d
                     : i < 60 ? (b & c) | (b & d) | (c & d)
                              : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t next = rotated(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotated(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* The SHA-1 of up to 119 bytes. */
static void sha1(const char *text, unsigned char digest[20]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    unsigned char padded[128] = {0};
    size_t length = strlen(text), blocks = length < 56 ? 1 : 2, bits = length * 8;
    memcpy(padded, text, length);
    padded[length] = 0x80;
    padded[blocks * 64 - 2] = (unsigned char)(bits >> 8);
    padded[blocks * 64 - 1] = (unsigned char)bits;
    for (size_t i = 0; i < blocks; i++) sha1_block(h, padded + i * 64);
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void accept_key(const char *key, char out[29]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[100];
    unsigned char digest[21] = {0};
    snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(text, digest);
    for (int i = 0; i < 7; i++) {
        uint32_t three = (uint32_t)digest[i * 3] << 16 | (uint32_t)digest[i * 3 + 1] << 8 | digest[i * 3 + 2];
        for (int j = 0; j < 4; j++) out[i * 4 + j] = letters[three >> (18 - 6 * j) & 63];
    }
    out[27] = '=';
    out[28] = 0;
}

static void answer(struct member *m, const char *head) {
    static const char healthy[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}";
    const char *key = strcasestr(head, "\r\nSec-WebSocket-Key: ");
    char key_out[29], reply[200];
    if (!key) {
        write_bytes(m, (const unsigned char *)healthy, sizeof healthy - 1);
        return;
    }
    accept_key(key + strlen("\r\nSec-WebSocket-Key: "), key_out);
    int length = snprintf(reply, sizeof reply,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                          "Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                          key_out);
    write_bytes(m, (unsigned char *)reply, (size_t)length);
    m->place = members;
    room[members++] = m;
}

/* ---- messages ---- */

/* The JSON string that follows `name`, without its quotes; what the load client sends has no escapes in it. */
static const char *field(const char *in, size_t length, const char *name, int *size) {
    const char *at = memmem(in, length, name, strlen(name));
    if (!at) return *size = 0, "";
    at += strlen(name);
    const char *end = memchr(at, '"', (size_t)(in + length - at));
    *size = end ? (int)(end - at) : 0;
    return at;
}

static void broadcast(const char *payload, size_t length) {
    static char json[BUFFER];
    static unsigned char frame[BUFFER + 4];
    int text_size, id_size;
    const char *text = field(payload, length, "\"text\":\"", &text_size),
               *id = field(payload, length, "\"client_message_id\":\"", &id_size);
    struct timespec time;
    struct tm utc;
    char at[40];
    clock_gettime(CLOCK_REALTIME, &time);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", gmtime_r(&time.tv_sec, &utc));
    messages++;
    int size = snprintf(json, sizeof json,
                        "{\"message\":{\"id\":%llu,\"room_id\":1,\"seq\":%llu,\"kind\":\"text\",\"sender\":{\"id\":1,"
                        "\"username\":\"member001\",\"name\":\"member001\"},"
                        "\"text\":\"%.*s\",\"client_message_id\":\"%.*s\",\"origin\":\"native\",\"at\":\"%s.%06ldZ\"}}",
                        (unsigned long long)messages, (unsigned long long)messages, text_size, text, id_size, id, at,
                        time.tv_nsec / 1000);
    size_t head = size < 126 ? 2 : 4;
    frame[0] = 0x81;
    frame[1] = (unsigned char)(size < 126 ? size : 126);
    if (head == 4) frame[2] = (unsigned char)(size >> 8), frame[3] = (unsigned char)size;
    memcpy(frame + head, json, (size_t)size);
    for (int i = 0; i < members; i++) write_bytes(room[i], frame, head + (size_t)size);
}

/* Takes the next frame of `p`: its length, 0 when it is not whole yet, -1 to end the connection. */
static ssize_t take_frame(unsigned char *p, size_t length) {
    if (length < 6) return 0;
    size_t size = p[1] & 127, head = size == 126 ? 4 : 2;
    if (size == 127 || !(p[1] & 128)) return -1;
    if (size == 126) size = (size_t)p[2] << 8 | p[3];
    if (length < head + 4 + size) return 0;
    unsigned char *mask = p + head, *payload = mask + 4;
    for (size_t i = 0; i < size; i++) payload[i] ^= mask[i & 3];
    if ((p[0] & 15) == 8) return -1;
    if ((p[0] & 15) == 1) broadcast((char *)payload, size);
    return (ssize_t)(head + 4 + size);
}

static ssize_t take(struct member *m, unsigned char *p, size_t length) {
    size_t used = 0;
    if (m->place < 0) {
        unsigned char *end = memmem(p, length, "\r\n\r\n", 4);
        if (!end) return 0;
        *end = 0;
        answer(m, (char *)p);
        used = (size_t)(end + 4 - p);
    }
    while (m->place >= 0) {
        ssize_t n = take_frame(p + used, length - used);
        if (n < 0) return -1;
        if (n == 0) break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

static void read_member(struct member *m) {
    size_t length = m->partial.length;
    if (length) memcpy(buffer, m->partial.at, length);
    ssize_t n = recv(m->fd, buffer + length, sizeof buffer - length, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    ssize_t used = n > 0 ? take(m, buffer, length + (size_t)n) : -1;
    if (used < 0) {
        leave(m);
        return;
    }
    m->partial.length = 0;
    if ((size_t)used < length + (size_t)n) append(&m->partial, buffer + used, length + (size_t)n - (size_t)used);
}

static void welcome(void) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), one = 1;
    if (fd < 0) return;
    struct member *m = calloc(1, sizeof *m);
    if (!m || members == MEMBERS) fail("too many members");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *m = (struct member){.fd = fd, .place = -1};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = m};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void listen_on(int port) {
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN};
    int one = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 2048) < 0) fail("listen");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
}

int main(int argc, char **argv) {
    struct epoll_event events[EVENTS];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    listen_on(argc > 1 ? atoi(argv[1]) : 0);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct member *m = events[i].data.ptr;
            if (!m) {
                welcome();
                continue;
            }
            if (events[i].events & EPOLLOUT) flush(m);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_member(m);
        }
    }
}
