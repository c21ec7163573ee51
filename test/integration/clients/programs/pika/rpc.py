"""rpc.py PORT QUEUE COUNT: asks a server by direct reply-to; both are in this process, on connections of their own."""
import sys
import threading
import pika
from session import connect, report

port, queue, count = sys.argv[1], sys.argv[2], int(sys.argv[3])


def answer(connection):
    channel = connection.channel()
    for method, properties, body in channel.consume(queue):
        reply = pika.BasicProperties(correlation_id=properties.correlation_id)
        channel.basic_publish('', properties.reply_to, str(int(body) ** 2).encode(), reply)
        channel.basic_ack(method.delivery_tag)
        if int(body) == count - 1:
            break
    connection.close()


server = connect(port)
server.channel().queue_declare(queue)
thread = threading.Thread(target=answer, args=(server,))
thread.start()

client = connect(port)
channel = client.channel()
answers = []
channel.basic_consume('amq.rabbitmq.reply-to', lambda c, m, properties, body: answers.append((properties.correlation_id, body)), auto_ack=True)
for n in range(count):
    request = pika.BasicProperties(reply_to='amq.rabbitmq.reply-to', correlation_id=str(n))
    channel.basic_publish('', queue, str(n).encode(), request)
    while len(answers) <= n:
        client.process_data_events(time_limit=10)
client.close()
thread.join()
report([[int(id), int(body)] for id, body in answers])
