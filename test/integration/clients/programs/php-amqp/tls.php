<?php // tls.php PORT CA CERT KEY QUEUE SESSIONS: a request connects with TLS, publishes and leaves, again and again; then one gets all.
require 'session.php';
[, $port, $authority, $certificate, $key, $name, $sessions] = $argv;
function secure(string ...$files): AMQPConnection
{
    global $port;
    $connection = new AMQPConnection(['host' => 'localhost', 'port' => (int) $port, 'login' => 'guest', 'password' => 'guest',
        'cacert' => $files[0], 'cert' => $files[1], 'key' => $files[2], 'verify' => true]);
    $connection->connect();
    return $connection;
}
for ($session = 0; $session < $sessions; $session++) {
    $connection = secure($authority, $certificate, $key);
    $channel = new AMQPChannel($connection);
    queue($channel, $name);
    (new AMQPExchange($channel))->publish("$session", $name, AMQP_NOPARAM, PERSISTENT);
    $connection->disconnect();
}
$connection = secure($authority, $certificate, $key);
$queue = queue(new AMQPChannel($connection), $name);
$seen = [];
$end = microtime(true) + 10;
while (count($seen) < $sessions && microtime(true) < $end) {
    if (!($message = $queue->get(AMQP_AUTOACK))) { usleep(10000); continue; }
    $seen[] = $message->getBody();
}
$connection->disconnect();
echo json_encode($seen), "\n";
