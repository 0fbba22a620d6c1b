// Publishes two events over RabbitMQ. Needs the package amqplib.
import { randomUUID } from "node:crypto";
import amqp from "amqplib";

const QUEUE = "badge-events";

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

/** Makes the queue if it is not there; as it is, it is right. */
async function declareQueue(connection) {
  const probe = await connection.createChannel();
  probe.on("error", () => {}); // told by the rejection, too
  try {
    await probe.checkQueue(QUEUE);
    await probe.close();
  } catch (error) {
    if (error.code !== 404) throw error;
    const args = { "x-queue-type": "quorum" };
    // From version 4 on, a message would be dropped at its 20th return.
    if (parseInt(connection.connection.serverProperties.version) >= 4) args["x-delivery-limit"] = -1;
    const channel = await connection.createChannel();
    await channel.assertQueue(QUEUE, { durable: true, arguments: args });
    await channel.close();
  }
}

/** Publishes all events and waits for the confirms. Where this rejects, publish them again: twice does no harm. */
async function publish(channel, events) {
  let returned = 0;
  const count = () => returned++;
  channel.on("return", count);
  for (const each of events) {
    const body = Buffer.from(JSON.stringify(each));
    channel.publish("", QUEUE, body, {
      mandatory: true,
      persistent: true,
      contentType: "application/cloudevents+json",
    });
  }
  await channel.waitForConfirms();
  channel.off("return", count);
  if (returned) throw new Error(`RabbitMQ returned ${returned} events`);
  return events.length;
}

const connection = await amqp.connect(process.env.AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672/");
try {
  await declareQueue(connection);
  const channel = await connection.createConfirmChannel();
  const published = await publish(channel, [
    event("connection.established.v1", { user_ids: ["242", "243"] }),
    event("post.created.v1", { user_id: "242", post_id: "9001" }),
  ]);
  console.log(`${published} events published`);
} finally {
  await connection.close();
}
