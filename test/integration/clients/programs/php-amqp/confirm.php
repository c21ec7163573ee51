<?php // confirm.php PORT QUEUE COUNT: publishes with confirms, a mandatory message that nobody takes among them.
require 'session.php';
[, $port, $name, $count] = $argv;
$connection = connect($port);
$channel = new AMQPChannel($connection);
queue($channel, $name);
$unconfirmed = array_fill(1, $count + 1, true);
$returned = [];
$channel->confirmSelect();
$channel->setConfirmCallback(
    function (int $tag, bool $multiple) use (&$unconfirmed) {
        $isLeft = fn(int $other) => $multiple ? $other > $tag : $other !== $tag;
        $unconfirmed = array_filter($unconfirmed, $isLeft, ARRAY_FILTER_USE_KEY);
        return count($unconfirmed) > 0; // false ends the waiting
    },
    fn() => throw new Exception('refused by the broker')
);
$channel->setReturnCallback(function (int $code, string $text, string $exchange, string $key) use (&$returned) {
    $returned[] = [$code, $text, $key];
});
$exchange = new AMQPExchange($channel);
for ($n = 0; $n < $count; $n++) $exchange->publish("$n", $name, AMQP_NOPARAM, PERSISTENT);
$exchange->publish('to nobody', 'nowhere', AMQP_MANDATORY, PERSISTENT);
$channel->waitForConfirm(60);
$connection->disconnect();
echo json_encode(['unconfirmed' => count($unconfirmed), 'returned' => $returned]), "\n";
