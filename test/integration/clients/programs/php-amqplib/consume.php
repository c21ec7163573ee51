<?php // consume.php PORT QUEUE COUNT: one by get, the others as a consumer; the first delivery is refused once.
require 'session.php';
[, $port, $queue, $count] = $argv;
$connection = connect($port);
$channel = $connection->channel();
$channel->queue_declare($queue, false, true, false, false);
$channel->basic_qos(0, 1, false);
$message = $channel->basic_get($queue);
$message->ack();
$seen = [$message->getBody()];
$channel->basic_consume($queue, '', false, false, false, false, function ($message) use (&$seen, $count) {
    $seen[] = $message->getBody() . ($message->isRedelivered() ? ' again' : '');
    if (count($seen) == 2) $message->nack(true);
    else $message->ack();
    if (count($seen) == $count) $message->getChannel()->basic_cancel($message->getConsumerTag());
});
while ($channel->is_consuming()) $channel->wait(null, false, 60);
$channel->close();
$connection->close();
echo json_encode($seen), "\n";
