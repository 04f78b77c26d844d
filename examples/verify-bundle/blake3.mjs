// BLAKE3 of a buffer as hexadecimal, as its paper writes it (github.com/BLAKE3-team/BLAKE3-specs): no keys, 32 bytes.
const IV = Uint32Array.of(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
const order = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const [start, end, parent, root] = [1, 2, 4, 8];

function compress(chaining, block, counter, length, flags) {
  const v = new Uint32Array(16);
  v.set(chaining);
  v.set(IV.subarray(0, 4), 8);
  v.set([counter >>> 0, Math.floor(counter / 2 ** 32), length, flags], 12);
  const turn = (word, by) => (word >>> by) | (word << (32 - by));
  const mix = (a, b, c, d, x, y) => {
    v[a] += v[b] + x; v[d] = turn(v[d] ^ v[a], 16); v[c] += v[d]; v[b] = turn(v[b] ^ v[c], 12);
    v[a] += v[b] + y; v[d] = turn(v[d] ^ v[a], 8); v[c] += v[d]; v[b] = turn(v[b] ^ v[c], 7);
  };
  for (let round = 0, m = block; round < 7; round++, m = order.map(i => m[i])) {
    mix(0, 4, 8, 12, m[0], m[1]); mix(1, 5, 9, 13, m[2], m[3]); mix(2, 6, 10, 14, m[4], m[5]); mix(3, 7, 11, 15, m[6], m[7]);
    mix(0, 5, 10, 15, m[8], m[9]); mix(1, 6, 11, 12, m[10], m[11]); mix(2, 7, 8, 13, m[12], m[13]); mix(3, 4, 9, 14, m[14], m[15]);
  }
  return v.subarray(0, 8).map((word, i) => word ^ v[i + 8]);
}

function chunk(bytes, counter, isRoot) {
  let chaining = IV;
  for (let at = 0; ; at += 64) {
    const part = Buffer.alloc(64);
    const length = bytes.copy(part, 0, at, at + 64);
    const isLast = at + 64 >= bytes.length;
    const flags = (at === 0 ? start : 0) | (isLast ? end | (isRoot ? root : 0) : 0);
    chaining = compress(chaining, Array.from({ length: 16 }, (_, i) => part.readUInt32LE(4 * i)), counter, length, flags);
    if (isLast) return chaining;
  }
}

function tree(bytes, counter, isRoot) {
  if (bytes.length <= 1024) return chunk(bytes, counter, isRoot);
  let left = 1024;
  while (left * 2 < bytes.length) left *= 2;
  const pair = [...tree(bytes.subarray(0, left), counter, false), ...tree(bytes.subarray(left), counter + left / 1024, false)];
  return compress(IV, pair, 0, 64, parent | (isRoot ? root : 0));
}

export function blake3(bytes) {
  const hash = Buffer.alloc(32);
  tree(bytes, 0, true).forEach((word, i) => hash.writeUInt32LE(word, 4 * i));
  return hash.toString('hex');
}
