"""tls.py PORT CA CERT KEY QUEUE COUNT: by its certificate alone (EXTERNAL) it publishes with confirms, and consumes."""
import ssl
import sys
import pika
from session import PERSISTENT, report

port, authority, certificate, key, queue, count = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
context.load_cert_chain(certificate, key)
parameters = pika.ConnectionParameters(
    '127.0.0.1', int(port), '/', pika.credentials.ExternalCredentials(),
    ssl_options=pika.SSLOptions(context, 'localhost'))
connection = pika.BlockingConnection(parameters)
channel = connection.channel()
channel.queue_declare(queue, durable=True)
channel.confirm_delivery()
for n in range(int(count)):
    channel.basic_publish('', queue, str(n).encode(), PERSISTENT, mandatory=True)
channel.basic_qos(prefetch_count=10)
seen = []
for method, properties, body in channel.consume(queue, inactivity_timeout=60):
    seen.append(body.decode())
    channel.basic_ack(method.delivery_tag)
    if len(seen) == int(count):
        break
channel.cancel()
connection.close()
report(seen)
