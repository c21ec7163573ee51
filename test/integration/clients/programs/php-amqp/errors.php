<?php // errors.php PORT QUEUE: the exceptions of a wrong password, a missing queue and another one's exclusive queue.
require 'session.php';
[, $port, $name] = $argv;
function refusal(callable $attempt): array
{
    try {
        $attempt();
        return ['nothing'];
    } catch (AMQPException $e) {
        return [get_class($e), $e->getCode(), $e->getMessage()];
    }
}

$errors = [];
$stranger = new AMQPConnection(['host' => '127.0.0.1', 'port' => $port, 'login' => 'guest', 'password' => 'wrong']);
$errors['password'] = refusal(fn() => $stranger->connect());
$connection = connect($port);
$missing = new AMQPQueue(new AMQPChannel($connection));
$missing->setName($name);
$missing->setFlags(AMQP_PASSIVE);
$errors['missing'] = refusal(fn() => $missing->declareQueue());

$own = new AMQPQueue(new AMQPChannel($connection));
$own->setName($name);
$own->setFlags(AMQP_EXCLUSIVE);
$own->declareQueue();
$neighbour = connect($port);
$errors['locked'] = refusal(fn() => queue(new AMQPChannel($neighbour), $name));
$neighbour->disconnect();
$connection->disconnect();
echo json_encode($errors), "\n";
