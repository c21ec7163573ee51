<?php // What every program here does first: a connection and a channel of the amqp extension.
function connect(int $port): AMQPConnection
{
    $connection = new AMQPConnection(['host' => '127.0.0.1', 'port' => $port, 'login' => 'guest', 'password' => 'guest']);
    $connection->setReadTimeout(60);
    $connection->connect();
    return $connection;
}

function queue(AMQPChannel $channel, string $name): AMQPQueue
{
    $queue = new AMQPQueue($channel);
    $queue->setName($name);
    $queue->setFlags(AMQP_DURABLE);
    $queue->declareQueue();
    return $queue;
}

const PERSISTENT = ['delivery_mode' => 2, 'content_type' => 'text/plain'];
