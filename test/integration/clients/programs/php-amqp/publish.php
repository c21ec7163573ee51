<?php // publish.php PORT QUEUE NAME SESSIONS COUNT: a request connects, declares, publishes and leaves, again and again.
require 'session.php';
[, $port, $name, $sender, $sessions, $count] = $argv;
for ($session = 0; $session < $sessions; $session++) {
    $connection = connect($port);
    $channel = new AMQPChannel($connection);
    queue($channel, $name);
    $exchange = new AMQPExchange($channel);
    for ($n = 0; $n < $count; $n++) $exchange->publish("$sender-$session:$n", $name, AMQP_NOPARAM, PERSISTENT);
    $connection->disconnect();
}
echo json_encode((int) $sessions), "\n";
