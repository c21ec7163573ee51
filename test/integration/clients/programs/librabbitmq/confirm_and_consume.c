/* confirm_and_consume PORT QUEUE COUNT BYTES: a session with frames of 4096 bytes at most, which publishes large bodies
   with confirms, consumes them with acknowledgements, and prints how many were confirmed and how many came back whole. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static struct timeval patience = {60, 0};

static void check(int good, const char *what) {
  if (good) return;
  fprintf(stderr, "%s failed\n", what);
  exit(1);
}

static void reply(amqp_connection_state_t c, const char *what) {
  check(amqp_get_rpc_reply(c).reply_type == AMQP_RESPONSE_NORMAL, what);
}

static void fill(char *body, size_t bytes, int n) {
  for (size_t i = 0; i < bytes; i++) body[i] = (char)(i * 31 + n);
}

int main(int argc, char **argv) {
  check(argc == 5, "reading the arguments");
  int port = atoi(argv[1]), count = atoi(argv[3]);
  size_t bytes = (size_t)atol(argv[4]);
  amqp_bytes_t queue = amqp_cstring_bytes(argv[2]);
  char *body = malloc(bytes);

  amqp_connection_state_t c = amqp_new_connection();
  check(amqp_socket_open(amqp_tcp_socket_new(c), "127.0.0.1", port) == 0, "connecting");
  amqp_rpc_reply_t in = amqp_login(c, "/", 0, 4096, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  check(in.reply_type == AMQP_RESPONSE_NORMAL, "logging in");
  check(amqp_get_frame_max(c) == 4096, "agreeing on small frames");
  amqp_channel_open(c, 1);
  reply(c, "opening the channel");
  amqp_queue_declare(c, 1, queue, 0, 1, 0, 0, amqp_empty_table);
  reply(c, "declaring the queue");
  amqp_confirm_select(c, 1);
  reply(c, "asking for confirms");

  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};
  for (int n = 0; n < count; n++) {
    fill(body, bytes, n);
    amqp_bytes_t message = {bytes, body};
    check(amqp_basic_publish(c, 1, amqp_empty_bytes, queue, 0, 0, &properties, message) == 0, "publishing");
  }
  int confirmed = 0;
  char *is_confirmed = calloc((size_t)count + 1, 1);
  while (confirmed < count) {
    amqp_frame_t frame;
    check(amqp_simple_wait_frame_noblock(c, &frame, &patience) == 0, "waiting for confirms");
    check(frame.payload.method.id == AMQP_BASIC_ACK_METHOD, "getting only acks");
    amqp_basic_ack_t *ack = frame.payload.method.decoded;
    int last = (int)ack->delivery_tag;
    check(last >= 1 && last <= count, "getting acks of what was published");
    for (int tag = ack->multiple ? 1 : last; tag <= last; tag++) {
      confirmed += !is_confirmed[tag];
      is_confirmed[tag] = 1;
    }
    amqp_maybe_release_buffers(c);
  }
  free(is_confirmed);

  amqp_basic_qos(c, 1, 0, 5, 0);
  reply(c, "setting the prefetch");
  amqp_basic_consume(c, 1, queue, amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  reply(c, "consuming");
  int whole = 0;
  for (int n = 0; n < count; n++) {
    amqp_envelope_t envelope;
    amqp_rpc_reply_t got = amqp_consume_message(c, &envelope, &patience, 0);
    check(got.reply_type == AMQP_RESPONSE_NORMAL, "receiving");
    fill(body, bytes, n);
    whole += envelope.message.body.len == bytes && memcmp(envelope.message.body.bytes, body, bytes) == 0;
    check(amqp_basic_ack(c, 1, envelope.delivery_tag, 0) == 0, "acknowledging");
    amqp_destroy_envelope(&envelope);
  }
  amqp_channel_close(c, 1, AMQP_REPLY_SUCCESS);
  amqp_connection_close(c, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(c);
  free(body);
  printf("{\"confirmed\": %d, \"whole\": %d}\n", confirmed, whole);
  return 0;
}
