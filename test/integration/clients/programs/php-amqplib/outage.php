<?php // outage.php PORT QUEUE NAME FILE: requests that connect, publish one message and leave, until FILE is there; prints how many.
require 'session.php';
[, $port, $queue, $name, $file] = $argv;
for ($n = 0; !file_exists($file); $n++) {
    $connection = connect($port);
    $channel = $connection->channel();
    $channel->basic_publish(persistent("$name:$n"), '', $queue);
    $channel->close();
    $connection->close();
    clearstatcache();
    usleep(10000);
}
echo json_encode($n), "\n";
