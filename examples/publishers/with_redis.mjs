// Publishes two events over Redis Streams. Needs the package redis.
import { randomUUID } from "node:crypto";
import { createClient } from "redis";

function event(type, data) {
  return {
    specversion: "1.0",
    id: randomUUID(), // the same one if it is published again
    source: "https://lms.example.org",
    type,
    time: new Date().toISOString(), // when it happened
    data,
  };
}

/** Publishes all events in one round trip. Where this rejects, publish them again: twice does no harm. */
async function publish(redis, events) {
  const ids = await Promise.all(
    events.map((each) => redis.xAdd("badge-events", "*", { event: JSON.stringify(each) })),
  );
  return ids.length;
}

const redis = createClient({
  url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379",
  socket: { reconnectStrategy: false }, // a script gives up; a service leaves this out, and connects again
});
redis.on("error", (error) => console.error(error.message));
await redis.connect();
try {
  const published = await publish(redis, [
    event("connection.established.v1", { user_ids: ["242", "243"] }),
    event("post.created.v1", { user_id: "242", post_id: "9001" }),
  ]);
  console.log(`${published} events published`);
} finally {
  redis.destroy();
}
