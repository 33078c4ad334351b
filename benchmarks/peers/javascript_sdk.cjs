// The AWS SDK for JavaScript v3 in a pool of promises, told to measure as protocol.py says. NODE_PATH
// leads to the SDK; one shared client for each number in flight, as many sockets, retries off.
"use strict";

const { InvokeCommand, LambdaClient } = require("@aws-sdk/client-lambda");
const { version } = require("@aws-sdk/client-lambda/package.json");

const clients = new Map();

function clientFor(inFlight) {
  if (!clients.has(inFlight)) {
    const agent = { maxSockets: inFlight, keepAlive: true };
    clients.set(
      inFlight,
      new LambdaClient({ maxAttempts: 1, requestHandler: { httpAgent: agent, httpsAgent: agent } }),
    );
  }
  return clients.get(inFlight);
}

async function run({ items, in_flight: inFlight, payload }) {
  const client = clientFor(inFlight);
  const expected = JSON.stringify(payload);
  let left = items;
  let made = 0;
  async function work() {
    while (left-- > 0) {
      const command = new InvokeCommand({ FunctionName: "echo", Payload: JSON.stringify(payload) });
      const answer = await client.send(command);
      made += JSON.stringify(JSON.parse(answer.Payload.transformToString())) === expected;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, work));
  return made;
}

async function main() {
  console.log(JSON.stringify({ about: `${version}, node ${process.versions.node}` }));
  const lines = require("node:readline").createInterface({ input: process.stdin });
  for await (const line of lines) {
    const job = JSON.parse(line);
    const begun = process.hrtime.bigint();
    const before = process.cpuUsage();
    const made = await run(job);
    const used = process.cpuUsage(before); // microseconds, of all threads
    const took = Number(process.hrtime.bigint() - begun) / 1e9;
    if (made !== job.items) throw new Error(`${made} replies of ${job.items} were right`);
    console.log(JSON.stringify({ cpu: (used.user + used.system) / 1e6 / job.items, rate: job.items / took }));
  }
  for (const client of clients.values()) client.destroy();
}

main();
