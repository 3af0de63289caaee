// SPDX-License-Identifier: MIT
// bench/server.js - the echo server on Node.
const server = require('net').createServer({ noDelay: true }, client => {
	client.on('data', bytes => client.write(bytes))
	client.on('error', () => client.destroy())
})
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => console.log(server.address().port))
