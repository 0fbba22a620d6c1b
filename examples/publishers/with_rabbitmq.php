<?php
// Publishes two events over RabbitMQ. Needs php-amqplib (a Debian package, too).
declare(strict_types=1);

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

require 'PhpAmqpLib/autoload.php'; // Debian's; with Composer: vendor/autoload.php

function event(string $type, array $data): array
{
    return [
        'specversion' => '1.0',
        'id' => bin2hex(random_bytes(16)), // the same one if it is published again
        'source' => 'https://lms.example.org',
        'type' => $type,
        'time' => (new DateTimeImmutable())->format(DATE_RFC3339), // when it happened
        'data' => $data,
    ];
}

/** Makes the queue if it is not there; as it is, it is right. */
function declareQueue(AMQPStreamConnection $connection): void
{
    try {
        $connection->channel()->queue_declare('badge-events', true);
    } catch (AMQPProtocolChannelException $error) {
        if ($error->amqp_reply_code !== 404) {
            throw $error;
        }
        $arguments = ['x-queue-type' => 'quorum'];
        if (version_compare($connection->getServerProperties()['version'][1], '4.0.0', '>=')) {
            $arguments['x-delivery-limit'] = -1; // else a message is dropped at its 20th return
        }
        $channel = $connection->channel();
        $channel->queue_declare('badge-events', false, true, false, false, false, new AMQPTable($arguments));
    }
}

/** Publishes all events and waits for the confirms. Where this throws, publish them again: twice does no harm. */
function publish(AMQPStreamConnection $connection, array $events): int
{
    $lost = 0;
    $channel = $connection->channel();
    $channel->set_nack_handler(function () use (&$lost) { $lost++; });
    $channel->set_return_listener(function () use (&$lost) { $lost++; });
    $channel->confirm_select();
    foreach ($events as $event) {
        $message = new AMQPMessage(json_encode($event, JSON_THROW_ON_ERROR), [
            'content_type' => 'application/cloudevents+json',
            'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
        ]);
        $channel->basic_publish($message, '', 'badge-events', true);
    }
    $channel->wait_for_pending_acks_returns(30);
    if ($lost > 0) {
        throw new RuntimeException("RabbitMQ did not take $lost events");
    }
    return count($events);
}

$server = parse_url(getenv('AMQP_URL') ?: 'amqp://guest:guest@127.0.0.1:5672/');
$connection = new AMQPStreamConnection(
    $server['host'],
    $server['port'] ?? 5672,
    urldecode($server['user']),
    urldecode($server['pass']),
    urldecode(substr($server['path'] ?? '/', 1)) ?: '/',
);

declareQueue($connection);
$published = publish($connection, [
    event('connection.established.v1', ['user_ids' => ['242', '243']]),
    event('post.created.v1', ['user_id' => '242', 'post_id' => '9001']),
]);
$connection->close();
echo "$published events published\n";
