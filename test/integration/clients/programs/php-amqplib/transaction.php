<?php // transaction.php PORT QUEUE: what is rolled back is gone, what is committed is there.
require 'session.php';
[, $port, $queue] = $argv;
$connection = connect($port);
$channel = $connection->channel();
$channel->queue_declare($queue, false, true, false, false);
$channel->tx_select();
foreach (['a', 'b'] as $body) $channel->basic_publish(persistent($body), '', $queue);
$channel->tx_rollback();
foreach (['c', 'd'] as $body) $channel->basic_publish(persistent($body), '', $queue);
$channel->tx_commit();
$channel->basic_publish(persistent('never committed'), '', $queue);
$connection->close();
echo json_encode(true), "\n";
