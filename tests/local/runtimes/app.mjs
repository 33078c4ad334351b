let calls = 0;

class QuotaError extends Error {
  constructor(message) {
    super(message);
    this.name = "QuotaError";
  }
}

function deep() {
  throw new QuotaError("no more than three");
}

export const handler = async (event, context) => {
  calls += 1;
  console.log("call", calls);
  return {
    event,
    calls,
    requestId: context.awsRequestId,
    arn: context.invokedFunctionArn,
    memory: context.memoryLimitInMB,
    custom: context.clientContext?.custom ?? null,
    tenantId: context.tenantId ?? null,
    trace: process.env._X_AMZN_TRACE_ID ?? null,
    environment: process.env.AWS_EXECUTION_ENV,
    left: context.getRemainingTimeInMillis() > 0,
    pid: process.pid,
  };
};

export const fails = async () => deep();

export const exits = async () => process.exit(7);

export const naps = () => new Promise(() => setTimeout(() => {}, 1e6));

export const streams = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("one ");
  if (event.wait) {
    const { existsSync } = await import("node:fs");
    while (!existsSync(event.wait)) await new Promise((done) => setTimeout(done, 5));
  }
  if (event.fail) throw new Error("late");
  stream.write("two");
  stream.end();
});
