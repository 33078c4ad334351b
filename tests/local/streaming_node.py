"""A worker in Node: its own ``http`` module speaks the Runtime API and streams, as aws-lambda-ric does."""

import os

SCRIPT = r"""
const http = require("http");
const [authority, address] = process.env.AWS_LAMBDA_RUNTIME_API.split("@");
const [host, port] = (address || authority).split(":");
const auth = address ? authority : undefined;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const base = "/2018-06-01/runtime/invocation/";

function next() {
  http.get({ host, port, auth, agent, path: base + "next" }, (answer) => {
    const parts = [];
    answer.on("data", (part) => parts.push(part));
    answer.on("end", () => {
      const id = answer.headers["lambda-runtime-aws-request-id"];
      reply(id, JSON.parse(Buffer.concat(parts)));
    });
  });
}

function reply(id, event) {
  const request = http.request({
    host, port, auth, agent, method: "POST", path: base + id + "/response",
    headers: {
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      "Content-Type": "application/octet-stream",
      "Trailer": ["Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"],
    },
  }, (answer) => { answer.resume(); answer.on("end", next); });
  request.write("one ");
  if (event.fail) {
    const error = { errorType: "Late", errorMessage: "late", trace: ["Error: late"] };
    request.addTrailers({
      "Lambda-Runtime-Function-Error-Type": "Runtime.Late",
      "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(error)).toString("base64"),
    });
  } else {
    request.write("two");
  }
  request.end();
}
next();
"""

os.execvp("node", ["node", "-e", SCRIPT])
