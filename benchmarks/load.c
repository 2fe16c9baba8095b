/* The load generator: many Engine.IO clients in one thread that never sleeps.
 *
 *     cc -O2 -o load load.c
 *     load SCENARIO --port P [--connections N] [--inflight K] [--size BYTES] [--binary]
 *          [--seconds S] [--warmup S] [--parked N]
 *
 * It spins on epoll, so that its own wake-up is in no figure, and tells how much of its time it found nothing to do:
 * while that share is well above zero, the server is what was measured. Every line that it prints is a JSON object;
 * the last one is the result. Linux only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OPENING_AT_ONCE = 64, MAX_EVENTS = 1024, READ_SIZE = 1 << 18, MAX_INFLIGHT = 64, MAX_SAMPLES = 1 << 22 };
#define TIMEOUT 10.0 /* seconds for anything that a server must answer */

/* ---------------------------------------------------------------- what is asked for */

static struct {
    const char *scenario;
    int port, connections, inflight, size, binary, parked;
    double seconds, warmup;
} options = {.connections = 100, .inflight = 1, .size = 32, .seconds = 3, .warmup = 1};

/* ---------------------------------------------------------------- growing buffers */

typedef struct {
    char *data;
    size_t size, room;
} Buffer;

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static void append(Buffer *buffer, const void *data, size_t size) {
    if (buffer->size + size > buffer->room) {
        buffer->room = (buffer->size + size) * 2;
        buffer->data = realloc(buffer->data, buffer->room);
        if (!buffer->data) die("out of memory");
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

static void drop(Buffer *buffer, size_t size) {
    buffer->size -= size;
    if (buffer->size) memmove(buffer->data, buffer->data + size, buffer->size);
}

static void discard(Buffer *buffer) {
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

/* ---------------------------------------------------------------- clients and their connections */

typedef struct Client Client;

typedef enum { CLOSED, CONNECTING, HANDSHAKE, WEBSOCKET, HTTP } State;

typedef struct {
    int fd;
    State state;
    Client *client;
    Buffer in, out;
    int wants_write; /* epoll was told to wait for room */
    int busy;        /* HTTP: an answer is awaited */
} Connection;

/* What a client does next, for those scenarios in which it does several things. */
typedef enum { FRESH, OPEN, PROBING, DRAINING, ECHOING, CLOSING } Phase;

struct Client {
    Connection ws, get, post;
    char sid[64];
    Phase phase;
    int number;
    int parked;      /* polls only */
    int pong_due;    /* a ping came over polling */
    int slow;        /* the message in flight is one that blocks */
    int replied;     /* polling: what of the round has come: 1 the POST's answer, 2 the echo */
    double deadline; /* of the phase, where there is one */
    unsigned head, tail;
    double sent[MAX_INFLIGHT];
};

static int epoll_fd;
static Client *clients;
static int client_count, open_count, opening_count, opened_ever, next_to_open;
static double now, measure_from, measure_until, idle_time, open_time;
static uint64_t operations, errors;
static uint32_t *samples;
static size_t sample_count;
static int broadcast_received;
static char *payload; /* one message as a masked frame, or as a packet for polling */
static size_t payload_size;
static char *slow_payload;
static size_t slow_payload_size;

static double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int is(const char *scenario) { return !strcmp(options.scenario, scenario); }

static void count(uint64_t amount) {
    if (now >= measure_from) operations += amount;
}

static void sample(double sent) {
    if (now >= measure_from && sent >= measure_from && sample_count < MAX_SAMPLES)
        samples[sample_count++] = (uint32_t)((now - sent) * 1e6);
}

/* ---------------------------------------------------------------- sockets */

static void watch(Connection *connection, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(epoll_fd, operation, connection->fd, &event);
}

static void start_connecting(Connection *connection, Client *client) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) die("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connection->client = client;
    connection->state = CONNECTING;
    connection->wants_write = 1;
    connection->busy = 0;
    connection->in.size = connection->out.size = 0;
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    watch(connection, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void close_connection(Connection *connection) {
    if (connection->state == CLOSED) return;
    close(connection->fd);
    connection->fd = -1;
    connection->state = CLOSED;
    connection->in.size = connection->out.size = 0;
}

static void flush(Connection *connection) {
    if (connection->state == CONNECTING || connection->state == CLOSED) return;
    while (connection->out.size) {
        ssize_t sent = send(connection->fd, connection->out.data, connection->out.size, MSG_NOSIGNAL);
        if (sent < 0) break; /* no room, or an end that the next read finds */
        drop(&connection->out, sent);
    }
    int wants = connection->out.size > 0 && errno == EAGAIN;
    if (wants != connection->wants_write) {
        connection->wants_write = wants;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN | (wants ? EPOLLOUT : 0));
    }
}

/* ---------------------------------------------------------------- frames and requests */

static size_t make_frame(char *out, int opcode, const char *data, size_t size) {
    static const unsigned char key[4] = {0x5a, 0xc3, 0x19, 0x7e};
    size_t head = 2;
    out[0] = (char)(0x80 | opcode);
    if (size < 126) {
        out[1] = (char)(0x80 | size);
    } else if (size < 65536) {
        out[1] = (char)(0x80 | 126), out[2] = (char)(size >> 8), out[3] = (char)size, head = 4;
    } else {
        out[1] = (char)(0x80 | 127);
        for (int i = 0; i < 8; i++) out[2 + i] = (char)((uint64_t)size >> (56 - 8 * i));
        head = 10;
    }
    memcpy(out + head, key, 4);
    for (size_t i = 0; i < size; i++) out[head + 4 + i] = data[i] ^ (char)key[i & 3];
    return head + 4 + size;
}

static void send_frame(Connection *connection, int opcode, const char *data, size_t size) {
    char frame[256];
    append(&connection->out, frame, make_frame(frame, opcode, data, size));
}

static void send_text(Connection *connection, const char *text) { send_frame(connection, 1, text, strlen(text)); }

static void send_message(Client *client) {
    if (is("block") && (client->slow = rand() % 10 == 0))
        append(&client->ws.out, slow_payload, slow_payload_size);
    else
        append(&client->ws.out, payload, payload_size);
    client->sent[client->head++ % MAX_INFLIGHT] = now;
}

static void ask_for_websocket(Client *client) {
    char request[512], sid[80] = "";
    if (client->sid[0]) snprintf(sid, sizeof sid, "&sid=%s", client->sid);
    int size = snprintf(request, sizeof request,
                        "GET /engine.io/?EIO=4&transport=websocket%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        sid, options.port);
    append(&client->ws.out, request, size);
    client->ws.state = HANDSHAKE;
}

static void ask(Connection *connection, const char *method, const char *path, const char *body, size_t body_size) {
    char head[512], length[64] = "";
    if (body) snprintf(length, sizeof length, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %zu\r\n", body_size);
    int size = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n", method, path, options.port, length);
    if (connection->state == CLOSED) start_connecting(connection, connection->client);
    append(&connection->out, head, size);
    if (body) append(&connection->out, body, body_size);
    connection->busy = 1;
    flush(connection);
}

static const char *polling_path(Client *client) {
    static char path[160];
    snprintf(path, sizeof path, "/engine.io/?EIO=4&transport=polling%s%s", client->sid[0] ? "&sid=" : "", client->sid);
    return path;
}

static void poll(Client *client) { ask(&client->get, "GET", polling_path(client), NULL, 0); }

static void post(Client *client, const char *body, size_t size) {
    ask(&client->post, "POST", polling_path(client), body, size);
}

static void post_message(Client *client) {
    client->replied = 0;
    client->sent[0] = now;
    if (!client->pong_due) {
        post(client, payload, payload_size);
        if (is("pair")) poll(client);
        return;
    }
    Buffer both = {0};
    append(&both, "3\x1e", 2);
    append(&both, payload, payload_size);
    client->pong_due = 0;
    post(client, both.data, both.size);
    discard(&both);
}

/* ---------------------------------------------------------------- the scenarios */

static void begin(Client *client) {
    client->phase = FRESH;
    client->sid[0] = 0;
    client->head = client->tail = 0;
    client->deadline = now + TIMEOUT;
    client->get.client = client->post.client = client->ws.client = client;
    opening_count++;
    if (is("poll") || is("upgrade"))
        poll(client);
    else if (is("fixed") || is("once")) {
        client->sent[0] = now;
        ask(&client->get, "GET", "/", NULL, 0);
    } else if (is("pair")) {
        strcpy(client->sid, "abcdefghijklmnopqrst"); /* nobody asks whose it is */
        poll(client);
    } else
        start_connecting(&client->ws, client);
}

static void opened(Client *client) {
    client->phase = OPEN;
    client->deadline = 0;
    opening_count--;
    open_count++;
    opened_ever++;
}

/* A round of churn or upgrade is over, well or not: the next one. */
static void again(Client *client, int well) {
    if (well) {
        count(1);
        sample(client->sent[0]);
    } else {
        errors++;
    }
    close_connection(&client->ws);
    close_connection(&client->get);
    close_connection(&client->post);
    open_count--;
    begin(client);
}

static void failed(Client *client) {
    if (is("churn") || is("upgrade")) {
        if (client->phase == FRESH) opening_count--, open_count++;
        again(client, 0);
        return;
    }
    errors++;
    if (client->phase == FRESH) opening_count--;
    client->deadline = 0;
    close_connection(&client->ws);
    close_connection(&client->get);
    close_connection(&client->post);
}

static void start_work(void) {
    for (int i = 0; i < client_count; i++) {
        Client *client = &clients[i];
        if (is("echo") || is("block"))
            for (int k = 0; k < options.inflight; k++) send_message(client);
        else if ((is("poll") && !client->parked) || is("pair"))
            post_message(client);
        flush(&client->ws);
    }
    if (is("broadcast")) {
        send_message(&clients[0]);
        flush(&clients[0].ws);
    }
}

static void broadcast_came(void) {
    count(1);
    if (++broadcast_received < client_count) return;
    broadcast_received = 0;
    sample(clients[0].sent[(clients[0].tail++) % MAX_INFLIGHT]);
    send_message(&clients[0]);
    flush(&clients[0].ws);
}

/* A message of a WebSocket: a packet. What is sent in answer leaves when the whole read was looked at. */
static void websocket_message(Client *client, int opcode, const char *data, size_t size) {
    if (opcode == 1 && size && data[0] == '2') {
        send_text(&client->ws, "3");
    } else if (opcode == 1 && size && data[0] == '0') {
        opened(client);
        if (!is("churn")) return;
        client->sent[0] = now;
        client->deadline = now + TIMEOUT;
        append(&client->ws.out, payload, payload_size);
        client->phase = ECHOING;
    } else if (opcode == 1 && size == 6 && !memcmp(data, "3probe", 6)) {
        client->phase = DRAINING; /* until the poll that waits has been answered */
        if (!client->get.busy) goto upgrade;
    } else if (is("broadcast")) {
        broadcast_came();
    } else if (client->phase == ECHOING) {
        client->phase = CLOSING;
        client->deadline = now + TIMEOUT;
        send_frame(&client->ws, 8, "\x03\xe8", 2);
    } else if (client->head != client->tail) {
        double sent = client->sent[client->tail++ % MAX_INFLIGHT];
        count(1);
        if (!client->slow) sample(sent);
        send_message(client);
    }
    return;
upgrade:
    send_text(&client->ws, "5");
    append(&client->ws.out, payload, payload_size);
    client->phase = ECHOING;
}

static void websocket_ended(Client *client) {
    if (client->phase == CLOSING)
        again(client, 1);
    else
        failed(client);
}

static void copy_sid(Client *client, const char *body) {
    const char *found = strstr(body, "\"sid\":");
    if (!found || !(found = strchr(found + 6, '"'))) return;
    size_t size = strcspn(++found, "\"");
    if (size < sizeof client->sid) memcpy(client->sid, found, size), client->sid[size] = 0;
}

static void round_of_polling(Client *client, int part) {
    client->replied |= part;
    if (client->replied == 3) {
        count(1);
        sample(client->sent[0]);
        post_message(client);
    }
}

static void poll_answered(Client *client, char *body, size_t size) {
    if (client->phase == FRESH) {
        copy_sid(client, body);
        if (!client->sid[0]) {
            failed(client);
            return;
        }
        opened(client);
        if (is("upgrade")) {
            client->phase = PROBING;
            client->sent[0] = now;
            client->deadline = now + TIMEOUT;
            start_connecting(&client->ws, client);
        }
        poll(client);
        return;
    }
    if (client->phase == DRAINING) {
        send_text(&client->ws, "5");
        append(&client->ws.out, payload, payload_size);
        client->phase = ECHOING;
        flush(&client->ws);
        return;
    }
    if (client->phase != OPEN && client->phase != PROBING) return;
    int echoed = 0;
    for (char *packet = body, *end = body + size; packet < end; packet++) {
        if (*packet == '2') client->pong_due = 1;
        if (*packet == '4' || *packet == 'b') echoed = 1;
        packet = memchr(packet, '\x1e', end - packet);
        if (!packet) break;
    }
    if (client->parked && client->pong_due && !client->post.busy) {
        client->pong_due = 0;
        post(client, "3", 1);
    }
    if (client->phase == OPEN) poll(client);
    if (echoed) round_of_polling(client, 2);
}

static void http_answered(Connection *connection, int status, char *body, size_t size) {
    Client *client = connection->client;
    connection->busy = 0;
    if (status != 200) {
        failed(client);
    } else if (is("once")) {
        if (client->phase == FRESH) opened(client);
        again(client, 1);
    } else if (is("fixed")) {
        if (client->phase == FRESH) opened(client);
        count(1);
        sample(client->sent[0]);
        client->sent[0] = now;
        ask(connection, "GET", "/", NULL, 0);
    } else if (is("pair")) {
        if (client->phase == FRESH)
            opened(client);
        else
            round_of_polling(client, connection == &client->get ? 2 : 1);
    } else if (connection == &client->get) {
        poll_answered(client, body, size);
    } else if (!client->parked) {
        round_of_polling(client, 1);
    }
}

/* ---------------------------------------------------------------- reading */

static void read_handshake(Connection *connection) {
    append(&connection->in, "", 1);
    connection->in.size--;
    char *end = strstr(connection->in.data, "\r\n\r\n");
    if (!end) return;
    if (strncmp(connection->in.data, "HTTP/1.1 101", 12)) {
        failed(connection->client);
        return;
    }
    drop(&connection->in, end + 4 - connection->in.data);
    connection->state = WEBSOCKET;
    if (connection->client->phase == PROBING) send_text(connection, "2probe");
}

/* The frames in a read; what is left of it is kept. Returns how many bytes were used. */
static size_t read_frames(Connection *connection, const char *data, size_t size) {
    size_t at = 0;
    while (size - at >= 2 && connection->state == WEBSOCKET) {
        const unsigned char *head = (const unsigned char *)data + at;
        uint64_t length = head[1] & 0x7f;
        size_t start = 2;
        if (length == 126) {
            if (size - at < 4) break;
            length = head[2] << 8 | head[3], start = 4;
        } else if (length == 127) {
            if (size - at < 10) break;
            length = 0, start = 10;
            for (int i = 2; i < 10; i++) length = length << 8 | head[i];
        }
        if (size - at < start + length) break;
        const char *message = data + at + start;
        at += start + length;
        int opcode = head[0] & 0x0f;
        if (opcode == 8) {
            websocket_ended(connection->client);
            return size;
        }
        if (opcode == 9)
            send_frame(connection, 10, message, length);
        else if (opcode < 3)
            websocket_message(connection->client, opcode, message, length);
    }
    return at;
}

static void read_websocket(Connection *connection, const char *data, size_t size) {
    if (connection->in.size) {
        append(&connection->in, data, size);
        size_t used = read_frames(connection, connection->in.data, connection->in.size);
        if (connection->state == WEBSOCKET) drop(&connection->in, used);
    } else {
        size_t used = read_frames(connection, data, size);
        if (connection->state == WEBSOCKET && used < size) append(&connection->in, data + used, size - used);
    }
}

static const char *field(const char *head, const char *name) {
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, name, strlen(name)) && line[strlen(name)] == ':') {
            const char *value = line + strlen(name) + 1;
            return value + strspn(value, " ");
        }
    }
    return NULL;
}

/* Joins the chunks of a body in place; returns 0, and leaves it as it is, while the last one is missing. */
static int join_chunks(char *body, char *end, size_t *size, char **after) {
    for (int joining = 0; joining < 2; joining++) {
        char *out = body, *at = body;
        for (;;) {
            char *line_end = memmem(at, end - at, "\r\n", 2);
            if (!line_end) return 0;
            size_t length = strtoul(at, NULL, 16);
            if ((size_t)(end - line_end) < length + 4) return 0;
            at = line_end + 2 + length + 2;
            if (!length) break;
            if (joining) memmove(out, line_end + 2, length);
            out += length;
        }
        *size = out - body;
        *after = at;
    }
    return 1;
}

static void read_http(Connection *connection) {
    Buffer *in = &connection->in;
    append(in, "", 1);
    in->size--;
    char *head_end = strstr(in->data, "\r\n\r\n");
    if (!head_end) return;
    head_end[2] = 0;
    char *body = head_end + 4, *after = NULL;
    int status = atoi(in->data + 9), closes = 0;
    const char *length = field(in->data, "content-length"), *way = field(in->data, "connection");
    const char *coding = field(in->data, "transfer-encoding");
    size_t size = 0;
    if (way && !strncasecmp(way, "close", 5)) closes = 1;
    if (length) {
        size = strtoul(length, NULL, 10);
        after = body + size;
    } else if (coding) {
        if (!join_chunks(body, in->data + in->size, &size, &after)) after = NULL;
    }
    if (!after || after > in->data + in->size) {
        head_end[2] = '\r';
        return;
    }
    /* The answer is looked at in a buffer of its own: to act on it may fill or close the connection's. */
    Buffer answer = *in;
    memset(in, 0, sizeof *in);
    if (closes) close_connection(connection);
    *after = 0; /* there is room: a NUL was appended above */
    http_answered(connection, status, body, size);
    discard(&answer);
}

static void ended(Connection *connection) {
    Client *client = connection->client;
    if (connection == &client->ws) {
        websocket_ended(client);
    } else if (connection->busy && client->phase != ECHOING && client->phase != CLOSING) {
        failed(client);
    } else {
        close_connection(connection);
    }
}

static void readable(Connection *connection) {
    static char data[READ_SIZE];
    ssize_t size = recv(connection->fd, data, sizeof data, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
        ended(connection);
        return;
    }
    if (connection->state == WEBSOCKET) {
        read_websocket(connection, data, size);
    } else {
        append(&connection->in, data, size);
        if (connection->state == HTTP) {
            read_http(connection);
        } else {
            read_handshake(connection);
            if (connection->state == WEBSOCKET && connection->in.size) {
                Buffer rest = connection->in;
                memset(&connection->in, 0, sizeof rest);
                read_websocket(connection, rest.data, rest.size);
                discard(&rest);
            }
        }
    }
    if (is("idle") && !connection->in.size) discard(&connection->in);
}

static void connected(Connection *connection) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        if (!open_count && now > measure_from) die("cannot connect to port %d: %s", options.port, strerror(error));
        failed(connection->client);
        return;
    }
    if (connection == &connection->client->ws)
        ask_for_websocket(connection->client);
    else
        connection->state = HTTP;
}

/* ---------------------------------------------------------------- the loop */

static void look_at_deadlines(void) {
    static double next;
    if (now < next) return;
    next = now + 0.25;
    for (int i = 0; i < client_count; i++)
        if (clients[i].deadline && now > clients[i].deadline) failed(&clients[i]);
}

static void turn(void) {
    struct epoll_event found[MAX_EVENTS];
    double began = now;
    int n = epoll_wait(epoll_fd, found, MAX_EVENTS, 0);
    now = clock_now();
    if (!n && now >= measure_from) idle_time += now - began;
    for (int i = 0; i < n; i++) {
        Connection *connection = found[i].data.ptr;
        if (connection->state == CLOSED) continue;
        if (connection->state == CONNECTING) {
            connected(connection);
        } else if (found[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            readable(connection);
        }
        if (connection->state != CLOSED) flush(connection);
    }
    look_at_deadlines();
}

static void open_all(void) {
    now = clock_now();
    measure_from = now + 1e9;
    double began = now;
    while (opened_ever + (int)errors < client_count) { /* some scenarios go round meanwhile */
        while (next_to_open < client_count && opening_count < OPENING_AT_ONCE) begin(&clients[next_to_open++]);
        turn();
        if (now > began + 120) die("only %d of %d clients were let in", opened_ever, client_count);
    }
    open_time = now - began;
    if (!opened_ever) die("no client was let in");
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile(double share) {
    return sample_count ? samples[(size_t)(share * (sample_count - 1))] / 1000.0 : 0;
}

static void report(double seconds) {
    qsort(samples, sample_count, sizeof *samples, by_value);
    printf("{\"scenario\": \"%s\", \"operations\": %llu, \"seconds\": %.3f, \"rate\": %.1f, \"idle\": %.3f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"errors\": %llu, \"connect_rate\": %.1f}\n",
           options.scenario, (unsigned long long)operations, seconds, operations / seconds, idle_time / seconds,
           percentile(0.5), percentile(0.99), (unsigned long long)errors, client_count / open_time);
}

static void make_payloads(void) {
    size_t size = options.size;
    char *text = malloc(size + 2);
    payload = malloc(size + 32);
    slow_payload = malloc(size + 32);
    memset(text, 'x', size + 2);
    text[0] = '4';
    if (is("broadcast")) text[1] = 'b';
    if (is("poll") || is("pair")) {
        memcpy(payload, text, payload_size = size + 1);
    } else if (options.binary) {
        payload_size = make_frame(payload, 2, text + 1, size);
    } else {
        payload_size = make_frame(payload, 1, text, size + 1);
        text[1] = 'z';
        slow_payload_size = make_frame(slow_payload, 1, text, size + 1);
    }
    free(text);
}

static void read_options(int count, char **words) {
    if (count < 2) die("usage: load SCENARIO --port P [options]; see the head of load.c");
    options.scenario = words[1];
    const char *known = " echo broadcast idle churn upgrade poll fixed pair once block ";
    char padded[32];
    snprintf(padded, sizeof padded, " %.20s ", words[1]);
    if (!strstr(known, padded)) die("there is no scenario %s; there are:%s", words[1], known);
    for (int i = 2; i < count; i++) {
        const char *name = words[i];
        if (!strcmp(name, "--binary")) {
            options.binary = 1;
            continue;
        }
        if (i + 1 == count) die("%s wants a value", name);
        double value = atof(words[++i]);
        if (!strcmp(name, "--port")) options.port = (int)value;
        else if (!strcmp(name, "--connections")) options.connections = (int)value;
        else if (!strcmp(name, "--inflight")) options.inflight = (int)value;
        else if (!strcmp(name, "--size")) options.size = (int)value;
        else if (!strcmp(name, "--parked")) options.parked = (int)value;
        else if (!strcmp(name, "--seconds")) options.seconds = value;
        else if (!strcmp(name, "--warmup")) options.warmup = value;
        else die("there is no option %s", name);
    }
    if (options.inflight > MAX_INFLIGHT) die("--inflight may be %d", MAX_INFLIGHT);
    if (options.size < 1 || options.connections < 1 || !options.port) die("--port, --connections and --size must be positive");
}

int main(int argument_count, char **arguments) {
    read_options(argument_count, arguments);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdout, NULL, _IOLBF, 0);
    srand(1);
    client_count = options.connections + options.parked;
    clients = calloc(client_count, sizeof *clients);
    samples = malloc(MAX_SAMPLES * sizeof *samples);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < client_count; i++) {
        clients[i].number = i;
        clients[i].parked = i >= options.connections;
    }
    make_payloads();
    open_all();
    if (is("idle"))
        printf("{\"event\": \"open\", \"connections\": %d, \"connect_rate\": %.1f}\n", open_count, client_count / open_time);
    start_work();
    now = clock_now();
    measure_from = now + options.warmup;
    measure_until = measure_from + options.seconds;
    idle_time = 0;
    while (now < measure_until) {
        turn();
        if (is("idle")) usleep(1000); /* to hold connections takes no haste, and the server may have the machine */
    }
    report(now - measure_from);
    return 0;
}
