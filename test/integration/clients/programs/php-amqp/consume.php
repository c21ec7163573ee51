<?php // consume.php PORT QUEUE COUNT: takes one by get, the others as a consumer, acknowledges all but the last.
require 'session.php';
[, $port, $name, $count] = $argv;
$connection = connect($port);
$channel = new AMQPChannel($connection);
$channel->setPrefetchCount(3);
$queue = queue($channel, $name);
$first = $queue->get();
$queue->ack($first->getDeliveryTag());
$seen = [$first->getBody()];
$queue->consume(function (AMQPEnvelope $message, AMQPQueue $queue) use (&$seen, $count) {
    $seen[] = $message->getBody();
    if (count($seen) == $count) return false;
    $queue->ack($message->getDeliveryTag());
});
$queue->cancel();
$channel->close();
$connection->disconnect();
echo json_encode($seen), "\n";
