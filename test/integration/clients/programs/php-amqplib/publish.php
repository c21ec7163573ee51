<?php // publish.php PORT QUEUE NAME SESSIONS COUNT: a request connects, declares, publishes and leaves, again and again.
require 'session.php';
[, $port, $queue, $sender, $sessions, $count] = $argv;
for ($session = 0; $session < $sessions; $session++) {
    $connection = connect($port);
    $channel = $connection->channel();
    $channel->queue_declare($queue, false, true, false, false);
    for ($n = 0; $n < $count; $n++) $channel->basic_publish(persistent("$sender-$session:$n"), '', $queue);
    $channel->close();
    $connection->close();
}
echo json_encode((int) $sessions), "\n";
