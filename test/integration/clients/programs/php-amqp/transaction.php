<?php // transaction.php PORT QUEUE: what is rolled back is gone, what is committed is there.
require 'session.php';
[, $port, $name] = $argv;
$connection = connect($port);
$channel = new AMQPChannel($connection);
queue($channel, $name);
$exchange = new AMQPExchange($channel);
$channel->startTransaction();
foreach (['a', 'b'] as $body) $exchange->publish($body, $name, AMQP_NOPARAM, PERSISTENT);
$channel->rollbackTransaction();
foreach (['c', 'd'] as $body) $exchange->publish($body, $name, AMQP_NOPARAM, PERSISTENT);
$channel->commitTransaction();
$exchange->publish('never committed', $name, AMQP_NOPARAM, PERSISTENT);
$connection->disconnect();
echo json_encode(true), "\n";
