// servers.py runs this: node servers.js DIRECTORY HTTP2 SECURE_WEBSOCKET WEBSOCKET (ports).
'use strict';
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const https = require('https');
const { WebSocketServer } = require('ws');

const [directory, http2Port, secureWebSocketPort, webSocketPort] = process.argv.slice(2);
const tls = {
  cert: fs.readFileSync(`${directory}/certificate.pem`),
  key: fs.readFileSync(`${directory}/key.pem`),
};

// Says which version a request had, and how many bytes came with it.
http2.createSecureServer({ ...tls, allowHTTP1: true }, (request, response) => {
  let bytes = 0;
  request.on('data', (chunk) => { bytes += chunk.length; });
  request.on('end', () => response.end(`version ${request.httpVersion}, ${bytes} bytes\n`));
}).listen(http2Port, '::');

// Greets, says each message back, and closes when it is asked to.
function echo(server) {
  new WebSocketServer({ server, maxPayload: 64 << 20 }).on('connection', (socket, request) => {
    socket.send(`welcome to ${request.headers.host}`);
    socket.on('message', (data, binary) => {
      if (!binary && data.toString() === 'close') socket.close(4000, 'as asked');
      else socket.send(data, { binary });
    });
  });
}
const secure = https.createServer(tls);
const plain = http.createServer();
echo(secure);
echo(plain);
// The last one to listen: who waits for it finds all.
secure.listen(secureWebSocketPort, '::', () => plain.listen(webSocketPort, '::'));
