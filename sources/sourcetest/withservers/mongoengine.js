'use strict';

// Serves MongoDB's own engine, without its server, on a free loopback port:
//
//     node mongoengine.js MODULE DATA
//
// MODULE is the folder of the npm package, DATA an empty directory. The port is
// printed once connections are taken. It ends when its standard input does, so it
// cannot outlive the process that started it. The package's own listener stands
// on a Unix socket that only one account can reach; tests put a TCP proxy in
// front of the server, hence this one.

const net = require('node:net');

const [, , modulePath, dataPath] = process.argv;
const { Engine } = require(modulePath);

const HEADER = 16; // int32 each: length, request id, response to, op code
// The engine's hello promises 48 MB, but it refuses a command beyond 33.6 MB, counted
// after it has put a key before each of up to 100,000 documents.
const MAX_MESSAGE = 32_000_000;
const OP_REPLY = 1;
const OP_MSG = 2013;

// Answers the messages of one connection in their order; connections run side by
// side. A command that cannot be answered closes its connection.
function serve(engine, socket) {
  let parts = [];
  let size = 0;
  let answered = Promise.resolve();
  let replies = 0;

  const answer = async (message) => {
    const { requestId, moreToCome, legacy, response } = await engine.roundTrip(message);
    if (moreToCome || socket.destroyed) return;
    correctLimit(response);
    socket.write(frame(legacy, response, ++replies, requestId));
  };
  const fail = (error) => {
    console.error(`connection closed: ${error}`);
    socket.destroy();
  };

  socket.setNoDelay(true);
  socket.on('error', () => {}); // the driver hung up: nothing to do
  socket.on('data', (chunk) => {
    parts.push(chunk);
    size += chunk.length;
    while (size >= 4) {
      if (parts[0].length < 4) parts = [Buffer.concat(parts)];
      const length = parts[0].readInt32LE(0);
      if (length < HEADER || length > MAX_MESSAGE) return fail(new Error(`message of ${length} bytes`));
      if (size < length) return;
      // Joined once per message: joining at every chunk would copy a large
      // document hundreds of times.
      const joined = parts.length === 1 ? parts[0] : Buffer.concat(parts);
      const message = joined.subarray(0, length);
      size -= length;
      parts = size > 0 ? [joined.subarray(length)] : [];
      answered = answered.then(() => answer(message)).catch(fail);
    }
  });
}

// Puts the true limit into a reply to hello, so that drivers split what they send.
function correctLimit(response) {
  if (response.length > 4096) return;
  const field = '\x10maxMessageSizeBytes\0'; // an int32
  const at = response.indexOf(field, 0, 'latin1');
  if (at >= 0) response.writeInt32LE(MAX_MESSAGE, at + field.length);
}

// An OP_MSG with one document or, for the first word of older drivers, an OP_REPLY.
function frame(legacy, document, id, responseTo) {
  const rest = Buffer.alloc(legacy ? 20 : 5);
  if (legacy) rest.writeInt32LE(1, 16); // one document; flags, cursor and offset are 0
  const head = Buffer.alloc(HEADER);
  head.writeInt32LE(HEADER + rest.length + document.length, 0);
  head.writeInt32LE(id, 4);
  head.writeInt32LE(responseTo, 8);
  head.writeInt32LE(legacy ? OP_REPLY : OP_MSG, 12);
  return Buffer.concat([head, rest, document]);
}

async function main() {
  process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL')).resume();
  const engine = await Engine.open(dataPath);
  const server = net.createServer((socket) => serve(engine, socket));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, () => {
    process.stdout.write(`port ${server.address().port}\n`);
  });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
