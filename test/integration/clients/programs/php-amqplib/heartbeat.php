<?php // heartbeat.php PORT QUEUE SECONDS: waits idle with a heartbeat of two seconds, then receives what it publishes.
require 'session.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPTimeoutException;

[, $port, $queue, $seconds] = $argv;
$connection = new AMQPStreamConnection(
    '127.0.0.1', $port, 'guest', 'guest', '/', connection_timeout: 30, read_write_timeout: 30, heartbeat: 2
);
$channel = $connection->channel();
$channel->queue_declare($queue, false, false, true);
$received = null;
$channel->basic_consume($queue, '', false, true, false, false, function ($message) use (&$received) {
    $received = $message->getBody();
});
// A consumer of php-amqplib wakes up now and then to send its heartbeats; a server that sent none would be given up here.
for ($end = microtime(true) + $seconds; microtime(true) < $end;) {
    try {
        $channel->wait(null, false, 0.2);
    } catch (AMQPTimeoutException) {
        $connection->checkHeartBeat();
    }
}
$channel->basic_publish(persistent('still here'), '', $queue);
while ($received === null) $channel->wait(null, false, 30);
$connection->close();
echo json_encode($received), "\n";
