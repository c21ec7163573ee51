<?php // large.php PORT QUEUE COUNT BYTES: a batch of large messages out, and the same back; prints how many came whole.
require 'session.php';
[, $port, $queue, $count, $bytes] = $argv;
$body = fn(int $n) => str_pad("$n:", $bytes, md5("$n"));
$connection = connect($port);
$channel = $connection->channel();
$channel->queue_declare($queue, false, true, false, false);
for ($n = 0; $n < $count; $n++) $channel->batch_basic_publish(persistent($body($n)), '', $queue);
$channel->publish_batch();
$whole = 0;
$next = 0;
$channel->basic_consume($queue, '', false, true, false, false, function ($message) use (&$whole, &$next, $body) {
    if ($message->getBody() === $body($next++)) $whole++;
});
while ($next < $count) $channel->wait(null, false, 60);
$channel->close();
$connection->close();
echo json_encode($whole), "\n";
