// Checks schemas/vectors/events.json as schemas/README.md says, with nothing of MeshLedger: node schemas/vectors/verify.mjs
import { createHash, createPublicKey, createPrivateKey, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const vectors = JSON.parse(readFileSync(process.argv[2] ?? new URL('events.json', import.meta.url), 'utf8'));
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const faults = [];
const expect = (met, what) => { if (!met) faults.push(what); };
const text = bytes => bytes.toString('hex');

// JSON.parse keeps neither duplicates nor the spelling of numbers, so JSON is read here, straight into its canonical form.
function canonical(json, levels = 64) {
  let at = 0;
  const fail = why => { throw new Error(`${why} at ${at}`); };
  const space = () => { while (' \t\n\r'.includes(json[at] ?? 'x')) at++; };
  const take = pattern => { pattern.lastIndex = at; const m = pattern.exec(json); if (m) at += m[0].length; return m?.[0]; };
  function string() {
    const raw = take(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y) ?? fail('no string');
    const value = JSON.parse(raw);
    if (value.includes('\0') || !value.isWellFormed()) fail('U+0000 or a lone surrogate');
    return value;
  }
  function value(depth) {
    if (depth > levels) fail('too deep');
    space();
    const start = json[at];
    if (start === '"') return JSON.stringify(string());
    if (start === '{' || start === '[') {
      const [close, members, items] = [start === '{' ? '}' : ']', new Map(), []];
      at++;
      for (space(); json[at] !== close || items.length + members.size > 0;) {
        space();
        if (start === '{') {
          const name = string();
          space();
          if (json[at++] !== ':' || members.has(name)) fail('no colon, or a member twice');
          members.set(name, value(depth + 1));
        } else {
          items.push(value(depth + 1));
        }
        space();
        if (json[at] === close) break;
        if (json[at++] !== ',') fail('no comma');
      }
      at++;
      // Strings of JavaScript compare by their UTF-16 code units.
      return start === '[' ? `[${items.join()}]`
        : `{${[...members.keys()].sort().map(name => `${JSON.stringify(name)}:${members.get(name)}`).join()}}`;
    }
    const word = take(/(?:true|false|null|0|-?[1-9][0-9]{0,15})(?![0-9.eE+-])/y) ?? fail('no value');
    if (/[0-9]/.test(word) && !Number.isSafeInteger(Number(word))) fail('too large a number');
    return word;
  }
  const result = value(1);
  space();
  if (at !== json.length) fail('more follows');
  return result;
}

function publicKey(did) {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  let number = 0n;
  for (const letter of did.slice('did:key:z'.length)) number = number * 58n + BigInt(alphabet.indexOf(letter));
  const bytes = Buffer.from(number.toString(16).padStart(68, '0'), 'hex');
  expect(did.startsWith('did:key:z6Mk') && bytes.length === 34 && bytes[0] === 0xed && bytes[1] === 1, `did ${did}`);
  return createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes.subarray(2)]), format: 'der', type: 'spki' });
}

function rootOf(digest, { index, size, path }) {
  let [node, last, root] = [index, size - 1, digest];
  if (!(Number.isInteger(index) && index >= 0 && index < size && size >= 2 && size <= 4096)) return null;
  for (const sibling of path.map(text => Buffer.from(text, 'base64'))) {
    if (last === 0) return null;
    const right = node % 2 === 1 || node === last;
    root = right ? sha256(Buffer.of(1), sibling, root) : sha256(Buffer.of(1), root, sibling);
    if (right) while (node % 2 === 0 && node !== 0) [node, last] = [node >> 1, last >> 1];
    [node, last] = [node >> 1, last >> 1];
  }
  return last === 0 ? root : null;
}

function message(root) {
  return Buffer.concat([Buffer.from('meshledger/batch/v1\0'), root]);
}

// What is attested beside a receipt: a DSSE envelope by the event's author, over canonical JSON.
function attested(by, { attestation, receipt }) {
  if (attestation === null || receipt.error !== null || receipt.outputs.length === 0)
    return attestation === null && (receipt.error !== null || receipt.outputs.length === 0);
  const [{ payload, payloadType, signatures: [{ keyid, sig }] }, type] = [attestation, 'application/vnd.in-toto+json'];
  const body = Buffer.from(payload, 'base64');
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${body.length} `), body]);
  const { subject, predicate } = JSON.parse(body);
  return payloadType === type && keyid === by && canonical(body.toString()) === body.toString()
    && predicate.runDetails.builder.id === by
    && JSON.stringify(subject.map(({ name, digest }) => [name, digest.sha256, digest.blake3]))
      === JSON.stringify(receipt.outputs.map(({ name, sha256, blake3 }) => [name, sha256, blake3]))
    && verify(null, signed, publicKey(by), Buffer.from(sig, 'base64'));
}

for (const { input, canonical: expected } of vectors.canonical) expect(canonical(input) === expected, `canonical ${input}`);
for (const input of vectors.refused) {
  let refused = false;
  try { canonical(input); } catch { refused = true; }
  expect(refused, `not refused: ${input}`);
}

// The one summary that follows from a finding, and its author's signature over it.
function checkSummary(where, type, data, by, receipt) {
  const envelope = JSON.parse(data.summary);
  const payload = Buffer.from(envelope.payload, 'base64');
  const [uri, passed] = [`urn:meshledger:event:${receipt}`, type === 'receipt_verified'];
  const ofReceipt = { meshledger_event: receipt };
  expect(canonical(data.summary) === data.summary, `${where}: summary is not canonical`);
  expect(payload.toString() === canonical(JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: data.claims.outputs.length === 0 ? [{ name: 'receipt', digest: ofReceipt }]
      : data.claims.outputs.map(({ name, blake3, sha256 }) => ({ name, digest: { blake3, sha256 } })),
    predicateType: 'https://slsa.dev/verification_summary/v1',
    predicate: {
      verifier: { id: by, version: { [data.engine.name]: data.engine.version } },
      timeVerified: data.verified_at, resourceUri: uri,
      policy: { uri: 'urn:meshledger:policy:reexecution:v1' },
      inputAttestations: [{ uri, digest: ofReceipt }],
      verificationResult: passed ? 'PASSED' : 'FAILED', verifiedLevels: [passed ? 'MESHLEDGER_REEXECUTED' : 'FAILED'],
      slsaVersion: '1.1',
    },
  })), `${where}: summary`);
  const pae = Buffer.concat([Buffer.from(`DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${payload.length} `), payload]);
  expect(envelope.payloadType === 'application/vnd.in-toto+json' && envelope.signatures.length === 1
    && envelope.signatures[0].keyid === by
    && verify(null, pae, publicKey(by), Buffer.from(envelope.signatures[0].sig, 'base64')), `${where}: summary's signature`);
}

const [seen, versions, keys] = [new Set(), new Map(), new Map(vectors.keys.map(key => [key.did, key.seed]))];
vectors.events.forEach(({ statement, digest, row }, number) => {
  const { by, cause, time, sig, proof } = row.headers;
  const where = `event ${number + 1} (${row.type})`;
  const bytes = Buffer.from(canonical(JSON.stringify(
    { by, cause, data: row.data, id: row.id, stream: row.stream_id, time, type: row.type }), 65));
  const hash = sha256(Buffer.of(0), bytes);
  expect(bytes.toString() === statement && canonical(statement, 65) === statement, `${where}: statement`);
  expect(text(hash) === digest && row.headers.digest === digest, `${where}: digest`);
  const root = proof ? rootOf(hash, proof) : hash;
  const signed = root && message(root);
  const signature = Buffer.from(sig, 'base64');
  expect(signed && verify(null, signed, publicKey(by), signature), `${where}: signature`);
  const seed = Buffer.from(keys.get(by), 'hex');
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' });
  expect(signed && sign(null, signed, key).equals(signature), `${where}: signed anew`);
  if (row.type === 'receipt_issued') expect(attested(by, row.data), `${where}: attestation`);
  expect(cause === null || seen.has(cause), `${where}: cause`);
  expect(row.causation_id === cause && row.seq_id === number + 1, `${where}: columns`);
  expect(row.version === (versions.get(row.stream_id) ?? 0) + 1, `${where}: version`);
  if (row.data.summary !== undefined) checkSummary(where, row.type, row.data, by, cause);
  versions.set(row.stream_id, row.version);
  seen.add(digest);
});

for (const fault of faults) console.error(fault);
console.log(`${vectors.events.length} events, ${vectors.canonical.length} canonical texts, ${vectors.refused.length} refused texts: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
