/* SPDX-License-Identifier: LGPL-2.1-or-later
 * The peer: @discordjs/voice, which most Discord bots play with, in its best case: Ogg Opus passed
 * through.  Its connection is one that counts: nobody pays for encryption or a network.
 *
 *   node djs.js
 *
 * Standard input, one command a line, and its answer, one line, on standard output:
 *   play FILE           first NS      from making the resource to the packet at the connection
 *   rooms N FILE...     playing       N rooms play the files in turn
 *   measure SECONDS     late PACKETS P50_US P99_US MAX_US LATE_PER_MILLION
 *   quit
 * Lateness is as bench-host.c has it. */
'use strict';
const fs = require('node:fs');
const readline = require('node:readline');
const {createAudioPlayer, createAudioResource, StreamType} = require('@discordjs/voice');

const SLOT_US = 20000;
const BASE_PACKETS = 50;
const WARM_UP_MS = 3; /* rooms do not all begin in one moment */

const nowUs = () => Number(process.hrtime.bigint() / 1000n);

/* A room: its player and the connection that takes the packets. */
class Room {
  constructor() {
    this.times = null; /* while it is measured: Float64Array of µs */
    this.n = 0;
    this.first = null;
    this.player = createAudioPlayer({behaviors: {noSubscriber: 'play', maxMissedFrames: 1e9}});
    this.player.on('error', (error) => console.error(String(error)));
    this.kept = undefined; /* the packet that was prepared */
    const room = this;
    this.player.subscribe({
      state: {status: 'ready'},
      prepareAudioPacket(packet) { room.kept = packet; },
      dispatchAudio() {
        const packet = room.kept;
        if (packet === undefined)
          return false;
        room.kept = undefined;
        room.send(packet);
        return true;
      },
      setSpeaking() {},
      onSubscriptionRemoved() {},
    });
  }

  send(packet) {
    if (packet.length <= 3) /* silence: the song has not come */
      return;
    if (this.first !== null) {
      this.first();
      this.first = null;
    }
    if (this.times !== null && this.n < this.times.length)
      this.times[this.n++] = nowUs();
  }

  play(file) {
    this.kept = undefined; /* what was left of the song before */
    this.player.play(createAudioResource(fs.createReadStream(file), {inputType: StreamType.OggOpus}));
  }
}

async function play(room, file) {
  const begin = process.hrtime.bigint();
  const first = new Promise((resolve) => { room.first = resolve; });
  room.play(file);
  await first;
  const ns = process.hrtime.bigint() - begin;
  room.player.stop(true);
  console.log(`first ${ns}`);
}

const rooms = [];
async function start(n, files) {
  for (let i = 0; i < n; i++) {
    const room = new Room();
    rooms.push(room);
    await new Promise((resolve) => {
      room.first = resolve;
      room.play(files[i % files.length]);
      setTimeout(resolve, WARM_UP_MS);
    });
  }
  console.log('playing');
}

async function measure(seconds) {
  for (const room of rooms) {
    room.n = 0;
    room.times = new Float64Array(seconds * 50 + 100);
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const late = [];
  let packets = 0;
  for (const room of rooms) {
    const off = Array.from(room.times.subarray(0, room.n), (time, i) => time - i * SLOT_US);
    room.times = null;
    packets += off.length;
    if (off.length <= BASE_PACKETS)
      continue;
    const base = off.slice(0, BASE_PACKETS).sort((a, b) => a - b)[BASE_PACKETS / 2];
    for (const us of off.slice(BASE_PACKETS))
      late.push(Math.abs(us - base));
  }
  late.sort((a, b) => a - b);
  const at = (share) => Math.round(late[Math.min(late.length - 1, Math.floor(share * late.length))]);
  const over = late.filter((us) => us > SLOT_US).length;
  console.log(`late ${packets} ${at(0.5)} ${at(0.99)} ${at(1)} ${Math.round(over / late.length * 1e6)}`);
}

async function main() {
  const one = new Room();
  console.log('ready');
  for await (const line of readline.createInterface({input: process.stdin})) {
    const words = line.split(' ');
    if (words[0] === 'play')
      await play(one, words[1]);
    else if (words[0] === 'rooms')
      await start(Number(words[1]), words.slice(2));
    else if (words[0] === 'measure')
      await measure(Number(words[1]));
    else
      break;
  }
  process.exit(0);
}
main();
