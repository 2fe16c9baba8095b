/* The ceiling: what the system and one thread allow. An echo server for WebSocket messages.
 *
 *     cc -O2 -o echo echo.c
 *     echo PORT
 *
 * Of Engine.IO it knows the open packet and no heartbeat; of WebSocket the handshake, whole messages and the close
 * frame. It trusts its peer. All echoes of one read leave in one write. Linux only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 1024, READ_SIZE = 1 << 18 };

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define OPEN_PACKET "0{\"sid\":\"00000000000000000000\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}"

/* ---------------------------------------------------------------- the handshake's digest */

static uint32_t turn(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }

/* One block of SHA-1 (FIPS 180-4, 6.1.2). */
static void sha1_block(uint32_t state[5], const uint8_t *block) {
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5a827999
                   : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                   : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                            : (b ^ c ^ d) + 0xca62c1d6;
        uint32_t next = turn(a, 5) + f + e + w[i];
        e = d, d = c, c = turn(b, 30), b = a, a = next;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
}

/* SHA-1 of a text of 56 to 119 bytes, which is two blocks; a key and the GUID have 60. */
static void sha1(const char *text, uint8_t digest[20]) {
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t blocks[128] = {0};
    size_t size = strlen(text);
    memcpy(blocks, text, size);
    blocks[size] = 0x80;
    blocks[126] = (uint8_t)(size * 8 >> 8), blocks[127] = (uint8_t)(size * 8);
    sha1_block(state, blocks);
    sha1_block(state, blocks + 64);
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *data, int size, char *out) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < size; i += 3) {
        uint32_t three = data[i] << 16 | (i + 1 < size ? data[i + 1] << 8 : 0) | (i + 2 < size ? data[i + 2] : 0);
        *out++ = letters[three >> 18];
        *out++ = letters[three >> 12 & 63];
        *out++ = i + 1 < size ? letters[three >> 6 & 63] : '=';
        *out++ = i + 2 < size ? letters[three & 63] : '=';
    }
    *out = 0;
}

/* ---------------------------------------------------------------- connections */

typedef struct {
    char *data;
    size_t size, room;
} Buffer;

typedef struct {
    int fd;
    int open;        /* the handshake is over */
    int wants_write; /* epoll was told to wait for room */
    Buffer in, out;  /* what is half received, and what the system did not take */
} Connection;

static int epoll_fd;
static Buffer echoes; /* of the read that is looked at */

static void append(Buffer *buffer, const void *data, size_t size) {
    if (buffer->size + size > buffer->room) {
        buffer->room = (buffer->size + size) * 2;
        buffer->data = realloc(buffer->data, buffer->room);
        if (!buffer->data) exit(1);
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

static void discard(Buffer *buffer) {
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

static void keep(Buffer *buffer, const char *rest, size_t size) {
    Buffer kept = {0};
    if (size) append(&kept, rest, size);
    free(buffer->data);
    *buffer = kept;
}

static void watch(Connection *connection, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(epoll_fd, operation, connection->fd, &event);
}

static void end(Connection *connection) {
    close(connection->fd);
    discard(&connection->in);
    discard(&connection->out);
    free(connection);
}

/* Writes what waits and then the echoes of this read. Returns 0 if the connection has ended. */
static int flush(Connection *connection) {
    Buffer *out = connection->out.size ? &connection->out : &echoes;
    if (out != &echoes) append(out, echoes.data, echoes.size);
    size_t at = 0;
    while (at < out->size) {
        ssize_t sent = send(connection->fd, out->data + at, out->size - at, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return 0;
        if (sent < 0) break;
        at += sent;
    }
    if (at < out->size || out != &echoes) keep(&connection->out, out->data + at, out->size - at);
    echoes.size = 0;
    int wants = connection->out.size > 0;
    if (wants != connection->wants_write) watch(connection, EPOLL_CTL_MOD, EPOLLIN | (wants ? EPOLLOUT : 0));
    connection->wants_write = wants;
    return 1;
}

static void write_frame(int opcode, const char *data, size_t size) {
    char head[10] = {(char)(0x80 | opcode)};
    size_t head_size = 2;
    if (size < 126) {
        head[1] = (char)size;
    } else if (size < 65536) {
        head[1] = 126, head[2] = (char)(size >> 8), head[3] = (char)size, head_size = 4;
    } else {
        head[1] = 127, head_size = 10;
        for (int i = 0; i < 8; i++) head[2 + i] = (char)((uint64_t)size >> (56 - 8 * i));
    }
    append(&echoes, head, head_size);
    append(&echoes, data, size);
}

/* ---------------------------------------------------------------- reading */

/* Answers the request (RFC 6455, 4.2.2) and opens the session. Returns 0 if it is no WebSocket's. */
static int shake_hands(Connection *connection, const char *request) {
    char key[96] = "", accept[32], answer[256];
    uint8_t digest[20];
    const char *field = strcasestr(request, "\r\nSec-WebSocket-Key:");
    if (!field || sscanf(field + 20, " %24[^\r]", key) != 1 || strlen(key) != 24) return 0;
    strcat(key, GUID);
    sha1(key, digest);
    base64(digest, sizeof digest, accept);
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    append(&echoes, answer, size);
    write_frame(1, OPEN_PACKET, strlen(OPEN_PACKET));
    connection->open = 1;
    return 1;
}

/* Eight bytes at a time; the key's four repeat. */
static void unmask(char *data, size_t size, const char *key) {
    uint64_t wide, word;
    memcpy(&wide, key, 4);
    memcpy((char *)&wide + 4, key, 4);
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        word ^= wide;
        memcpy(data + i, &word, 8);
    }
    for (; i < size; i++) data[i] ^= key[i & 3];
}

/* Echoes the whole frames. Returns how many bytes were used, or -1 after a close frame. */
static ssize_t echo_frames(char *data, size_t size) {
    size_t at = 0;
    while (size - at >= 6) {
        const uint8_t *head = (const uint8_t *)data + at;
        uint64_t length = head[1] & 0x7f;
        size_t start = 2;
        if (length == 126) {
            length = head[2] << 8 | head[3], start = 4;
        } else if (length == 127) {
            if (size - at < 10) break;
            length = 0, start = 10;
            for (int i = 2; i < 10; i++) length = length << 8 | head[i];
        }
        if (size - at < start + 4 + length) break;
        char *payload = data + at + start + 4;
        unmask(payload, length, payload - 4);
        int opcode = head[0] & 0x0f;
        write_frame(opcode == 9 ? 10 : opcode, payload, length);
        if (opcode == 8) return -1;
        at += start + 4 + length;
    }
    return at;
}

/* What a read brought. Returns 0 if the connection is over. */
static int received(Connection *connection, char *data, size_t size) {
    if (!connection->open) {
        data[size] = 0;
        char *head_end = strstr(data, "\r\n\r\n");
        if (!head_end) return 1;
        if (!shake_hands(connection, data)) return 0;
        discard(&connection->in); /* a client waits for the answer before it sends more */
        return flush(connection);
    }
    ssize_t used = echo_frames(data, size);
    int goes_on = flush(connection) && used >= 0;
    if (goes_on && (connection->in.size || (size_t)used < size)) keep(&connection->in, data + used, size - used);
    return goes_on;
}

static int readable(Connection *connection) {
    static char data[READ_SIZE + 1];
    ssize_t size = recv(connection->fd, data, READ_SIZE, 0);
    if (size < 0 && errno == EAGAIN) return 1;
    if (size <= 0) return 0;
    if (connection->open && !connection->in.size) return received(connection, data, size);
    append(&connection->in, data, size);
    append(&connection->in, "", 1);
    connection->in.size--;
    return received(connection, connection->in.data, connection->in.size);
}

static void accept_all(int listener) {
    for (;;) {
        int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        Connection *connection = calloc(1, sizeof *connection);
        if (!connection) exit(1);
        connection->fd = fd;
        watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(words[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("echo");
        return 1;
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, found[MAX_EVENTS];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll_fd, found, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            Connection *connection = found[i].data.ptr;
            if (!connection) {
                accept_all(listener);
                continue;
            }
            int goes_on = !(found[i].events & EPOLLOUT) || flush(connection);
            if (goes_on && (found[i].events & ~EPOLLOUT)) goes_on = readable(connection);
            echoes.size = 0;
            if (!goes_on) end(connection);
        }
    }
}
