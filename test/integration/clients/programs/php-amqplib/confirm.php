<?php // confirm.php PORT QUEUE COUNT: publishes with confirms, a mandatory message that nobody takes among them.
require 'session.php';
[, $port, $queue, $count] = $argv;
$connection = connect($port);
$channel = $connection->channel();
$channel->queue_declare($queue, false, true, false, false);
$confirmed = [];
$returned = [];
$channel->set_ack_handler(function ($message) use (&$confirmed) { $confirmed[] = $message->getBody(); });
$channel->set_nack_handler(fn() => throw new Exception('refused by the broker'));
$channel->set_return_listener(function ($code, $text, $exchange, $key, $message) use (&$returned) {
    $returned[] = [$code, $text, $key, $message->getBody()];
});
$channel->confirm_select();
for ($n = 0; $n < $count; $n++) $channel->basic_publish(persistent("$n"), '', $queue);
$channel->basic_publish(persistent('to nobody'), '', 'nowhere', true);
$channel->wait_for_pending_acks_returns(60);
$channel->close();
$connection->close();
echo json_encode(['confirmed' => count(array_unique($confirmed)), 'returned' => $returned]), "\n";
