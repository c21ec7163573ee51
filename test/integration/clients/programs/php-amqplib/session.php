<?php // What every program here does first: a connection of php-amqplib, which logs in with AMQPLAIN by default.
require 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;

function connect(int $port): AMQPStreamConnection
{
    return new AMQPStreamConnection(
        '127.0.0.1', $port, 'guest', 'guest', connection_timeout: 60, read_write_timeout: 60
    );
}

function persistent(string $body): AMQPMessage
{
    return new AMQPMessage($body, ['delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT]);
}
