<?php
// Publishes two events over Redis Streams. Needs the extension redis (Debian: php-redis).
declare(strict_types=1);

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

/** Publishes all events in one round trip. Where this throws, publish them again: twice does no harm. */
function publish(Redis $redis, array $events): int
{
    $redis->multi(Redis::PIPELINE);
    foreach ($events as $event) {
        $redis->xAdd('badge-events', '*', ['event' => json_encode($event, JSON_THROW_ON_ERROR)]);
    }
    $ids = $redis->exec();
    if (!is_array($ids) || in_array(false, $ids, true)) {
        throw new RuntimeException('Redis did not confirm: ' . $redis->getLastError());
    }
    return count($ids);
}

$server = parse_url(getenv('REDIS_URL') ?: 'redis://127.0.0.1:6379');
$redis = new Redis();
$redis->connect($server['host'], $server['port'] ?? 6379, 5.0);
if (isset($server['pass'])) {
    $redis->auth(array_map('urldecode', array_filter([$server['user'] ?? '', $server['pass']])));
}

$published = publish($redis, [
    event('connection.established.v1', ['user_ids' => ['242', '243']]),
    event('post.created.v1', ['user_id' => '242', 'post_id' => '9001']),
]);
echo "$published events published\n";
