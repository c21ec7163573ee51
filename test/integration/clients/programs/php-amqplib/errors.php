<?php // errors.php PORT QUEUE: the exceptions of a wrong password and virtual host, a missing queue and a locked one.
require 'session.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;

[, $port, $queue] = $argv;
function refusal(callable $attempt): array
{
    try {
        $attempt();
        return ['nothing'];
    } catch (Exception $e) {
        return [(new ReflectionClass($e))->getShortName(), $e->getCode(), $e->getMessage()];
    }
}

$errors = [
    'password' => refusal(fn() => new AMQPStreamConnection('127.0.0.1', $port, 'guest', 'wrong')),
    'vhost' => refusal(fn() => new AMQPStreamConnection('127.0.0.1', $port, 'guest', 'guest', 'missing')),
];
$connection = connect($port);
$errors['missing'] = refusal(fn() => $connection->channel()->queue_declare($queue, true));
$connection->channel()->queue_declare($queue, false, false, true);
$neighbour = connect($port);
$errors['locked'] = refusal(fn() => $neighbour->channel()->queue_declare($queue, false, false, false));
$neighbour->close();
$connection->close();
echo json_encode($errors), "\n";
