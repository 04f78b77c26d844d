// Verifies a bundle of MeshLedger with nothing of MeshLedger, from schemas/README.md alone; needs no package:
//     node verify-bundle.mjs BUNDLE POLICY
// Exit code 0: proven; 4: something does not hold, a line for each; 3: no such file; 2: wrong usage, or a wrong policy. It does not judge every legal transition
// (schemas/README.md, "Bundles", step 4): of these it checks versions, causes, and who may say what. It reads the whole file
// into memory.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { blake3 } from './blake3.mjs';

const faults = [];
const expect = (met, place, what) => { if (!met) faults.push(`${place}: expected ${what}`); return Boolean(met); };
const demand = (met, place, what) => { if (!met) throw new Error(`${place}: expected ${what}`); };
const count = (number, thing) => `${number} ${thing}${number === 1 ? '' : 's'}`;
// What others wrote is shown as it is but for what would move the cursor, end a line, turn it around or hide itself.
const safe = text => String(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, letter => `\\u{${letter.codePointAt(0).toString(16)}}`);
const print = text => console.log(safe(text));
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map(part => Buffer.from(part)))).digest();
const leaf = bytes => sha256([0], bytes);
const parent = (left, right) => sha256([1], left, right);

function base64(text, length) {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text && (length === undefined || bytes.length === length) ? bytes : null;
}

// Canonical JSON: the value is written, and what was read must be that. So no member stands twice, and no number is spelled oddly.
function canonical(value, levels = 65) {
  if (levels < 0) throw new Error('too deep');
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new Error('a number that is no integer');
    return String(value);
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed() || value.includes('\0')) throw new Error('a string that no event holds');
    return JSON.stringify(value);
  }
  return Array.isArray(value) ? `[${value.map(item => canonical(item, levels - 1)).join()}]`
    : `{${Object.keys(value).sort().map(name => `${canonical(name)}:${canonical(value[name], levels - 1)}`).join()}}`;
}

function readCanonical(bytes) {
  try {
    const value = JSON.parse(bytes.toString());
    return Buffer.from(canonical(value)).equals(bytes) ? value : null;
  } catch { return null; }
}

// Ed25519, by raw public keys and by did:key.
const isSigned = (key, message, signature) => verify(null, message, createPublicKey({
  key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]), format: 'der', type: 'spki' }), signature);

function keyOf(did) {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  let number = 0n;
  if (typeof did !== 'string' || did.length !== 56 || !did.startsWith('did:key:z6Mk')) return null;
  for (const letter of did.slice('did:key:z'.length)) {
    if (!alphabet.includes(letter)) return null;
    number = number * 58n + BigInt(alphabet.indexOf(letter));
  }
  const bytes = Buffer.from(number.toString(16).padStart(68, '0'), 'hex');
  return bytes.length === 34 && bytes[0] === 0xed && bytes[1] === 1 ? bytes.subarray(2) : null;
}

// The loop of RFC 9162, 2.1.3.2; numbers up to 2^53, so no bit operations.
function rootOf(hash, index, size, path) {
  let [node, last] = [index, size - 1];
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size)) return null;
  const halve = () => { node = Math.floor(node / 2); last = Math.floor(last / 2); };
  for (const sibling of path) {
    if (last === 0 || sibling === null) return null;
    if (node % 2 === 1 || node === last) {
      hash = parent(sibling, hash);
      while (node % 2 === 0 && node > 0) halve();
    } else {
      hash = parent(hash, sibling);
    }
    halve();
  }
  return last === 0 ? hash : null;
}

// The archive: every header must be the one that its name and size have.
function header(name, size) {
  const bytes = Buffer.alloc(512);
  const put = (at, text) => bytes.write(text, at, 'latin1');
  const octal = (number, digits) => number.toString(8).padStart(digits, '0');
  put(0, name);
  for (const [at, text] of [[100, '0000644'], [108, '0000000'], [116, '0000000'], [124, octal(size, 11)],
    [136, '00000000000'], [148, ' '.repeat(8)], [156, '0'], [257, 'ustar'], [263, '00'], [329, '0000000'], [337, '0000000']]) put(at, text);
  put(148, `${octal(bytes.reduce((sum, byte) => sum + byte, 0), 6)}\0 `);
  return bytes;
}

// What a bundle may have at most.
const [maxNote, maxProof, maxStatement, maxKept, maxEntries, maxSignatures] = [1 << 20, 2 << 20, 8 << 20, 512 << 20, 500_000, 100];

function unpack(archive) {
  const [entries, zeroes, block] = [new Map(), Buffer.alloc(1024), 512];
  const position = '[1-9][0-9]*';
  const known = new RegExp(`^(?:attestations/${position}\\.intoto\\.jsonl|blobs/[0-9a-f]{64}|bundle\\.json|checkpoint|`
    + `documents/${position}\\.json|events/${position}\\.json|keys\\.json|proofs/${position}\\.tlog-proof)$`);
  for (let [at, last, kept] = [0, '', 0]; ;) {
    if (archive.subarray(at, at + block).equals(zeroes.subarray(0, block))) {
      demand(archive.subarray(at).equals(zeroes), 'the end', '1024 zero bytes and nothing after them');
      return entries;
    }
    const found = archive.subarray(at, at + block);
    const name = found.toString('latin1', 0, Math.max(found.subarray(0, 100).indexOf(0), 0));
    const size = parseInt(found.toString('latin1', 124, 135), 8);
    demand(known.test(name) && name > last, name || `the entry after ${last}`, 'a name that a bundle has, sorted, each once');
    demand(Number.isSafeInteger(size) && found.equals(header(name, size)), name, 'a header of ustar in its one spelling');
    const most = name === 'checkpoint' ? maxNote : name.startsWith('proofs/') ? maxProof : maxStatement;
    if (!name.startsWith('blobs/')) kept += size;
    demand(name.startsWith('blobs/') || (size <= most && kept <= maxKept), name, `at most ${most} bytes, and ${maxKept} of all that is no blob`);
    demand(entries.size < maxEntries, name, `at most ${maxEntries} entries`);
    const end = at + block + size;
    const next = Math.ceil(end / block) * block;
    demand(next <= archive.length, name, 'a whole entry');
    demand(archive.subarray(end, next).equals(zeroes.subarray(0, next - end)), name, 'zero bytes after the content');
    entries.set(name, archive.subarray(at + block, end));
    [at, last] = [next, name];
  }
}

// Signed notes: the tree head, by a log's key (type 1) and witnesses' keys (type 4).
// A name has 1 to 255 characters of the basic plane, no white space, no controls, no plus.
const isName = text => /^[^+\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ud800-\udfff]{1,255}$/.test(text);

function noteKey(text, type) {
  const [, name, id, key] = (typeof text === 'string' && /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text)) || [];
  const bytes = base64(key ?? '', 33);
  demand(bytes && isName(name) && bytes[0] === type && sha256(name, '\n', bytes).toString('hex', 0, 4) === id, text, 'a key of a note');
  return { text, name, id, type, key: bytes.subarray(1) };
}

function readHead(bytes) {
  const note = bytes.toString();
  const end = note.lastIndexOf('\n\n');
  const [text, lines] = [note.slice(0, end + 1), note.slice(end + 2).split('\n')];
  const [origin, size, root] = text.split('\n');
  demand(end > 0 && lines.pop() === '' && Buffer.from(note).equals(bytes) && !/[\x00-\x09\x0b-\x1f]/.test(text) && isName(origin)
    && /^(?:0|[1-9][0-9]*)$/.test(size) && Number.isSafeInteger(Number(size)) && base64(root ?? '', 32), 'checkpoint', 'a signed tree head');
  demand(lines.length <= maxSignatures, 'checkpoint', `at most ${maxSignatures} signatures`);
  return { origin, size: Number(size), root: Buffer.from(root, 'base64'), bytes, text, lines };
}

// The key that must have signed the head, for somebody who believes one of the log's keys: he follows hand-overs as far as
// the key before signed them, and goes back as far as the key after did, which every key did.
function believed(log, { size }, handOvers) {
  const keys = [handOvers[0]?.from, ...handOvers.map(one => one.to)].map(key => key?.text);
  const at = keys.indexOf(log.text);
  if (handOvers.length === 0 || at < 0) return log;
  const signer = handOvers.filter(one => one.position <= size).length;
  for (let next = at; next < signer; next++) if (!handOvers[next].isSigned) return null;
  return signer === 0 ? handOvers[0].from : handOvers[signer - 1].to;
}

function checkHead(head, policy, handOvers) {
  const { origin, text, lines } = head;
  const logs = policy.logs.filter(log => log.name === origin).map(log => believed(log, head, handOvers)).filter(Boolean);
  const keys = [...logs, ...policy.witnesses];
  const signers = new Map();
  for (const line of lines) {
    const [, name, signature] = /^\u2014 ([^ ]+) ([A-Za-z0-9+/]+=*)$/.exec(line) ?? [];
    const raw = base64(signature ?? '');
    demand(raw && raw.length > 4 && isName(name), 'checkpoint', 'lines of signatures');
    const key = keys.find(one => one.name === name && one.id === raw.toString('hex', 0, 4));
    if (!key || signers.has(key)) continue;
    const time = key.type === 4 ? raw.readBigUInt64BE(4) : 0n;
    const message = key.type === 4 ? `cosignature/v1\ntime ${time}\n${text}` : text;
    demand(isSigned(key.key, Buffer.from(message), raw.subarray(key.type === 4 ? 12 : 4)), 'checkpoint', `a signature of ${name} that holds`);
    signers.set(key, time);
  }
  const log = [...signers.keys()].find(key => key.type === 1);
  // Whoever has several names counts once, and no log is its own witness.
  const own = [...policy.logs, ...logs].map(key => key.key.toString('hex'));
  const cosigned = [...new Map([...signers.keys()].filter(key => key.type === 4).map(key => [key.key.toString('hex'), key]))]
    .filter(([key]) => !own.includes(key));
  demand(log, 'checkpoint', `a signature by one of the logs ${policy.logs.map(key => key.name)}`);
  demand(cosigned.length >= policy.quorum, 'checkpoint', `${count(policy.quorum, 'cosignature')}, not ${cosigned.length}`);
  return { log, cosigned, unchecked: lines.length - signers.size };
}

// A proof and its statement: each binds the next.
function readEvent(position, entries, head) {
  const place = `events/${position}.json`;
  const [statement, proof] = [entries.get(place), entries.get(`proofs/${position}.tlog-proof`)];
  if (!expect(statement && proof, place, 'a statement and its proof')) return null;
  const end = proof.indexOf('\n\n');
  const lines = proof.toString('utf8', 0, Math.max(end, 0)).split('\n');
  const [version, extra, index, ...path] = lines;
  const raw = base64((extra ?? '').slice('extra '.length));
  const entry = raw && readCanonical(raw);
  if (!expect(end > 0 && version === 'c2sp.org/tlog-proof@v1' && extra.startsWith('extra ') && index === `index ${position - 1}`
    && entry && proof.subarray(end + 2).equals(head.bytes), place, 'a proof under the tree head of the bundle')) return null;
  const members = ['by', 'digest', 'position', ...(entry.proof ? ['proof'] : []), 'sig', 'stream', 'type', 'version'];
  expect(canonical(Object.keys(entry)) === canonical(members) && entry.position === position, place, 'the log\'s entry of its position');
  expect(rootOf(leaf(raw), position - 1, head.size, path.map(hash => base64(hash, 32)))?.equals(head.root), place, 'a path to the tree head');
  const said = readCanonical(statement);
  if (!expect(said && canonical(Object.keys(said)) === canonical(['by', 'cause', 'data', 'id', 'stream', 'time', 'type']), place, 'a statement')) return null;
  const digest = leaf(statement);
  expect(digest.toString('hex') === entry.digest && said.by === entry.by && said.stream === entry.stream && said.type === entry.type,
    place, 'the statement that the log holds');
  const { index: at = 0, size = 1, path: batch = [] } = entry.proof ?? {};
  const root = size <= 4096 && (!entry.proof || size >= 2) ? rootOf(digest, at, size, batch.map(hash => base64(hash, 32))) : null;
  const [key, sig] = [keyOf(said.by), base64(entry.sig, 64)];
  expect(root && key && sig && isSigned(key, Buffer.concat([Buffer.from('meshledger/batch/v1\0'), root]), sig), place, `a signature by ${said.by}`);
  return { place, position, entry, ...said, digest: digest.toString('hex') };
}

// The attestation that follows from document, assignment and receipt.
function attested({ by, cause, data: { attempt, receipt } }, submission) {
  if (receipt.error !== null || receipt.outputs.length === 0) return null;
  const document = JSON.parse(submission.document);
  const named = [];
  (function find(value, pointer, isNamed) {
    if (isNamed && typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) named.push([pointer, value]);
    else if (value && typeof value === 'object')
      for (const name of Object.keys(value)) find(value[name], `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        Array.isArray(value) ? isNamed : name === 'hash' || name === 'blake3');
  })(document.payload, '/payload', false);
  named.sort(([left], [right]) => left < right ? -1 : left > right ? 1 : 0);
  const listed = new Set([receipt.program]);
  const inputs = named.filter(([, hash]) => !listed.has(hash) && listed.add(hash)).slice(0, 256);
  const dependency = (name, algorithm, hash) => hash === null ? [] : [{ name, digest: { [algorithm]: hash } }];
  return canonical({
    _type: 'https://in-toto.io/Statement/v1',
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: receipt.outputs.map(({ name, size, truncated, blake3, sha256 }) => ({ name, annotations: { size, truncated }, digest: { blake3, sha256 } })),
    predicate: {
      buildDefinition: {
        buildType: 'urn:meshledger:job:v1',
        externalParameters: { attempt, document_sha256: submission.document_sha256, job_id: document.job_id, operation: submission.operation },
        internalParameters: { duration_us: receipt.duration_us, exit_code: receipt.exit_code, guest: receipt.guest, peak_memory_bytes: receipt.peak_memory_bytes },
        resolvedDependencies: [
          ...dependency('document', 'sha256', submission.document_sha256), ...dependency('kernel', 'sha256', receipt.kernel_sha256),
          ...dependency('program', 'blake3', receipt.program), ...inputs.flatMap(([name, hash]) => dependency(name, 'blake3', hash))],
      },
      runDetails: {
        builder: { id: by, version: { [receipt.engine.name]: receipt.engine.version } },
        metadata: { finishedOn: receipt.finished_at, invocationId: cause, startedOn: receipt.started_at },
      },
    },
  });
}

// No controls, nothing that turns the direction of the text around it.
const isPlain = (text, most) => typeof text === 'string' && text !== '' && Buffer.byteLength(text) <= most
  && !/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(text);

function checkReceipt(event, job, copies) {
  const { place, by, data: { attestation, receipt } } = event;
  expect(isPlain(receipt.engine.name, 255) && isPlain(receipt.engine.version, 255), place, 'an engine with a name and a version');
  expect(new Set(receipt.outputs.map(({ name }) => name)).size === receipt.outputs.length, place, 'names of outputs, each there once');
  for (const output of receipt.outputs) {
    expect(isPlain(output.name, 1024) && !/^\/|(?:^|\/)\.\.(?:\/|$)/.test(output.name), place, `a name of an output, not ${output.name}`);
    const bytes = output.text !== null ? Buffer.from(output.text) : output.base64 !== null ? base64(output.base64) : null;
    expect((output.text === null && output.base64 === null) || (bytes && bytes.length === output.size
      && sha256(bytes).toString('hex') === output.sha256 && blake3(bytes) === output.blake3), place, `output ${output.name} to be what its digests say`);
  }
  const payload = attested(event, job.submission);
  if (!expect((payload === null) === (attestation === null), place, 'an attestation exactly of a result') || payload === null) return;
  const { payload: found, payloadType, signatures } = attestation;
  const type = 'application/vnd.in-toto+json';
  const [body, sig] = [Buffer.from(payload), base64(signatures[0]?.sig ?? '', 64)];
  expect(found === body.toString('base64') && payloadType === type, place, 'what is attested to be what the receipt says');
  expect(signatures.length === 1 && signatures[0].keyid === by && sig
    && isSigned(keyOf(by), Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${body.length} `), body]), sig), place, 'an attestation by the worker');
  copies.set(`attestations/${event.position}.intoto.jsonl`, Buffer.from(`${canonical(attestation)}\n`));
}

// Who may say what, in log order.
const byNodes = ['bidding_opened', 'bidding_closed', 'job_assigned', 'attempt_ended', 'job_completed', 'job_failed', 'job_cancelled'];
const ofAssignment = ['execution_started', 'lease_renewed', 'receipt_issued'];
const ofStart = ['progress_reported', 'partial_output_produced', 'checkpoint_recorded'];

function judge(event, ledger) {
  const { place, by, cause, data, digest, stream, type } = event;
  const { nodes, workers, jobs, seen, copies } = ledger;
  const may = (met, what) => expect(met, place, what);
  const streamOf = new Map([['ledger_founded', 'ledger'], ['node_joined', `node-${by}`], ['node_admitted', `node-${data.node}`],
    ['worker_registered', `worker-${by}`]]);
  may(cause === null || stream.startsWith('federation-') || seen.has(cause), 'a cause that stands before it');
  if (streamOf.has(type)) may(stream === streamOf.get(type), `stream ${streamOf.get(type)}`);
  if (type === 'ledger_founded') {
    may(ledger.founder === null && event.entry.version === 1 && cause === null, 'a ledger that is founded once');
    ledger.founder = by;
    nodes.add(by);
  } else if (type === 'node_joined') {
    may(event.entry.version === 1 && cause === null, 'a joining that comes first');
  } else if (type === 'node_admitted') {
    may(nodes.has(by) && event.entry.version === 2 && seen.get(cause)?.type === 'node_joined' && seen.get(cause).by === data.node, 'an admission by a node');
    nodes.add(data.node);
  } else if (type === 'worker_registered') {
    may(cause === null && !workers.get(stream)?.retired, 'a registration by a worker that has not retired');
    workers.set(stream, { by, owner: data.owner, digest });
  } else if (type.startsWith('worker_')) {
    const worker = workers.get(stream);
    may(worker && cause === worker.digest && !(worker.retired && type !== 'worker_vouched'), 'the latest registration as cause');
    may(worker && (by === worker.owner || (by === worker.by && type !== 'worker_vouched')), 'the worker or its owner');
    if (worker && type === 'worker_retired') worker.retired = true;
  } else if (type === 'log_key_changed') {
    const [from, to] = [noteKey(data.from, 1), noteKey(data.to, 1)];
    const before = ledger.handOvers.at(-1);
    const signed = (key, signature) => isSigned(key, Buffer.from(`meshledger/log-key/v1\n${from.text}\n${to.text}\n`), base64(signature, 64) ?? Buffer.alloc(64));
    may(stream === `log-${sha256(ledger.origin).toString('hex')}` && from.name === ledger.origin && to.name === ledger.origin, 'the log of the tree head');
    may(nodes.has(by) && cause === (before?.digest ?? null), 'a node, and the hand-over before as cause');
    may(from.text !== to.text && (!before || before.to.text === from.text) && !ledger.handOvers.some(one => one.from.text === to.text), 'the key until now, and a new one');
    may((data.from_signature === null || signed(from.key, data.from_signature)) && signed(to.key, data.to_signature), 'signatures of both keys');
    may(data.from_signature !== null || by === ledger.founder || ledger.handOvers.some(one => one.by === by), 'the founder, or who had the key once, to say that it is lost');
    const named = keyOf(`did:key:${from.name.slice('meshledger/'.length)}`);
    may(before || !from.name.startsWith('meshledger/') || !named || named.equals(from.key), 'the key that the log has its name from');
    ledger.handOvers.push({ by, from, to, digest, position: event.position, isSigned: data.from_signature !== null });
  } else if (/^(?:federation_founded|membership_granted|membership_revoked)$/.test(type)) {
    may(stream.startsWith('federation-') && (type === 'federation_founded') === (event.entry.version === 1), 'a stream that begins with its founding');
    may(type === 'federation_founded' ? stream === `federation-${data.name}` : ledger.federations.get(stream) === by, 'the key that founded it');
    if (type === 'federation_founded') ledger.federations.set(stream, by);
  } else if (stream.startsWith('job-')) {
    const job = jobs.get(stream);
    if (type === 'job_submitted') {
      const document = Buffer.from(data.document);
      may(!job && event.entry.version === 1 && cause === null, 'a job that is submitted once');
      may(sha256(document).toString('hex') === data.document_sha256 && stream === `job-${JSON.parse(data.document).job_id}`, 'the document of its hash and name');
      jobs.set(stream, { submission: data, by, event, receipts: [], findings: [], end: null, versions: 0 });
      copies.set(`documents/${event.position}.json`, document);
    } else if (may(job, 'a job that was submitted')) {
      const answered = seen.get(cause);
      const isFinding = /^receipt_(?:verified|disputed)$/.test(type);
      may((job.end === null) !== isFinding, 'findings after the end of the job, and nothing else');
      may(answered?.stream === stream, 'a cause in its own stream');
      if (isFinding) may(answered?.type === 'receipt_issued' && answered.by !== by && (data.registration === null ? nodes.has(by)
        : seen.get(data.registration)?.type === 'worker_registered' && seen.get(data.registration).by === by), 'another worker, or a node');
      else if (byNodes.includes(type)) may(nodes.has(by), 'a node');
      else if (type === 'cancel_requested') may(by === job.by && answered?.type === 'job_submitted', 'the submitter');
      else if (type === 'bid_placed') may(seen.get(data.registration)?.type === 'worker_registered' && seen.get(data.registration).by === by, 'a registration of the bidder');
      else if (ofAssignment.includes(type)) may(answered?.type === 'job_assigned' && answered.data.attempt === data.attempt
        && answered.data.assignees.some(assignee => assignee.worker === by), 'a worker that was assigned');
      else if (ofStart.includes(type)) may(answered?.type === 'execution_started' && answered.by === by, 'a worker that has started');
      else may(false, 'an event of a job');
      if (type === 'receipt_issued') {
        may(![...job.receipts].some(one => one.by === by && one.cause === cause), 'one receipt of a run');
        job.receipts.push(event);
        checkReceipt(event, job, copies);
      }
      if (isFinding) job.findings.push(event);
      if (/^job_(?:completed|failed|cancelled)$/.test(type)) job.end = event;
    }
    const counted = jobs.get(stream);
    if (counted) counted.versions++;
  } else {
    may(false, 'an event that bundles have');
  }
  seen.set(digest, event);
}

// What stands in the bundle twice must be the same.
function index(events, blobs, head, founder) {
  const roles = { ledger_founded: 'founder', node_joined: 'node', node_admitted: 'node', worker_registered: 'worker', worker_vouched: 'owner',
    federation_founded: 'federation', membership_granted: 'federation', membership_revoked: 'federation', job_submitted: 'submitter' };
  const sorted = list => [...new Set(list)].sort();
  const keys = sorted(events.map(event => event.by)).map(did => {
    const own = events.filter(event => event.by === did);
    return { did, names: sorted(own.filter(event => event.type === 'worker_registered').map(event => event.data.worker_id)),
      roles: sorted(own.map(event => roles[event.type]).filter(Boolean)) };
  });
  const jobs = [...new Set(events.filter(event => event.stream.startsWith('job-')).map(event => event.stream.slice('job-'.length)))];
  return [['keys.json', { keys }], ['bundle.json', { blobs, events: events.map(event => event.position), format: 'meshledger/bundle/v1',
    founder, jobs, log: { key: head.log.text, size: head.size } }]];
}

function blobsOf({ type, data }) {
  const texts = value => typeof value === 'string' ? [value] : value && typeof value === 'object' ? Object.values(value).flatMap(texts) : [];
  if (type === 'job_submitted') return texts(JSON.parse(data.document).payload).filter(text => /^[0-9a-f]{64}$/.test(text));
  const outside = output => output.text === null && output.base64 === null;
  if (type === 'partial_output_produced') return outside(data) ? [data.blake3] : [];
  return type === 'receipt_issued' ? [data.receipt.program, ...data.receipt.outputs.filter(outside).map(output => output.blake3)] : [];
}

// What is not there does not matter; what is there is of its type, for a check that is misspelled would be none.
function readPolicy(text) {
  const policy = JSON.parse(text);
  demand(text.length <= maxNote && policy && typeof policy === 'object' && !Array.isArray(policy), 'the policy', 'a JSON object');
  const strings = /"(?:[^"\\]|\\.)*"(\s*:)?/g; // JSON.parse keeps the last of several members of one name.
  const names = [...text.matchAll(strings)].filter(([, colon]) => colon).map(([all, colon]) => JSON.parse(all.slice(0, -colon.length)));
  const keys = (name, least, what, read) => {
    const list = policy[name] ?? [];
    demand(Array.isArray(list) && list.length >= least && list.length <= 1000, name, `a list of ${least} to 1000 keys`);
    demand(new Set(list).size === list.length, name, 'each key once');
    return list.map((key, at) => { demand(typeof key === 'string', `${name}[${at}]`, what); return read(key, `${name}[${at}]`); });
  };
  const noteKeys = (name, least, type) => keys(name, least, 'NAME+HEX+BASE64', key => noteKey(key, type));
  const did = (key, place) => { demand(keyOf(key), place, 'a did:key'); return key; };
  for (const name of names) {
    const known = ['logs', 'witnesses', 'quorum', 'founder', 'submitters', 'workers'];
    demand(known.includes(name), name, `no such member, but ${known.join(', ')}`);
    demand(names.indexOf(name) === names.lastIndexOf(name), name, 'it once');
    demand(policy[name] !== null, name, 'something else than null');
  }
  const [logs, witnesses, quorum] = [noteKeys('logs', 1, 1), noteKeys('witnesses', 0, 4), policy.quorum ?? 0];
  demand(!/[-+.eE]/.test(text.replace(strings, '')) && Number.isInteger(quorum) && quorum <= witnesses.length, 'quorum', `a number from 0 to ${witnesses.length}, as many as there are witnesses`);
  const own = [...new Set(logs.map(log => log.key.toString('hex'))), ...witnesses.map(witness => witness.key.toString('hex'))];
  demand(new Set(own).size === own.length, 'witnesses', 'each with a public key of its own, which no log has');
  if (policy.founder !== undefined) did(policy.founder, 'founder');
  for (const name of ['submitters', 'workers']) keys(name, 0, 'a did:key', did);
  return { ...policy, logs, witnesses, quorum };
}

function verifyBundle(archive, policy) {
  const entries = unpack(archive);
  demand(entries.has('checkpoint'), 'checkpoint', 'a tree head');
  const head = readHead(entries.get('checkpoint'));
  const positions = new Set([...entries.keys()].map(name => /^(?:events|proofs)\/([0-9]+)\./.exec(name)?.[1]).filter(Boolean).map(Number));
  const events = [...positions].sort((left, right) => left - right).map(position => readEvent(position, entries, head));
  if (faults.length > 0 || !expect(events.length > 0, 'events/', 'an event')) return null;
  const ledger = { founder: null, nodes: new Set(), workers: new Map(), federations: new Map(), jobs: new Map(), seen: new Map(), copies: new Map(), handOvers: [], origin: head.origin };
  const [versions, batches, ids] = [new Map(), new Map(), new Set()];
  for (const event of events) {
    const { entry: { proof, sig, version }, id, place, stream } = event;
    expect(!ids.has(id) && ids.add(id), place, 'an id that no event before it has');
    expect(version === (versions.get(stream) ?? 0) + 1, place, `version ${(versions.get(stream) ?? 0) + 1} of ${stream}`);
    versions.set(stream, version);
    const batch = batches.get(sig) ?? batches.set(sig, { size: proof?.size ?? 1, taken: new Set() }).get(sig);
    expect(batch.size === (proof?.size ?? 1) && !batch.taken.has(proof?.index ?? 0), place, 'one place in its author\'s batch');
    batch.taken.add(proof?.index ?? 0);
    judge(event, ledger);
  }
  expect(ledger.founder !== null, 'events/', 'the stream ledger, which begins with ledger_founded');
  Object.assign(head, checkHead(head, policy, ledger.handOvers));
  const named = new Set(events.flatMap(blobsOf));
  const blobs = [];
  for (const [name, bytes] of entries) {
    if (!name.startsWith('blobs/')) continue;
    const blob = { blake3: blake3(bytes), sha256: sha256(bytes).toString('hex'), size: bytes.length };
    expect(`blobs/${blob.blake3}` === name && named.has(blob.blake3), name, 'a blob of a job, with the bytes of its name');
    for (const output of events.filter(event => event.type === 'receipt_issued').flatMap(event => event.data.receipt.outputs))
      expect(output.blake3 !== blob.blake3 || (output.sha256 === blob.sha256 && output.size === blob.size), name, 'the output of a receipt');
    blobs.push(blob);
  }
  for (const [name, value] of index(events, blobs, head, ledger.founder)) ledger.copies.set(name, Buffer.from(canonical(value)));
  for (const [name, bytes] of ledger.copies) expect(entries.get(name)?.equals(bytes), name, 'what follows from the events');
  for (const name of entries.keys())
    expect(/^(?:attestations|documents)\//.test(name) === false || ledger.copies.has(name), name, 'no such entry');
  expect(policy.founder === undefined || policy.founder === ledger.founder, 'the founder', policy.founder);
  for (const job of ledger.jobs.values()) {
    expect(!policy.submitters || policy.submitters.includes(job.by), job.event.place, 'a submitter of the policy');
    job.results = [];
    if (job.end?.type !== 'job_completed') continue;
    const { attempt, outcomes } = job.end.data;
    const winners = outcomes.filter(({ result }) => ['succeeded', 'agreed', 'own'].includes(result)).map(({ worker }) => worker);
    expect(winners.length > 0, job.end.place, 'a worker with a result');
    for (const worker of winners) {
      const receipt = job.receipts.find(one => one.by === worker && one.data.attempt === attempt && one.data.receipt.error === null);
      if (expect(receipt, job.end.place, `a receipt without an error of ${worker} for attempt ${attempt}`)) job.results.push(receipt);
      expect(!policy.workers || policy.workers.includes(worker), receipt?.place ?? job.end.place, `a worker of the policy, not ${worker}`);
    }
  }
  return { head, events, ledger };
}

function say({ head, events, ledger }) {
  print(`log ${head.origin}, tree head of ${head.size} entries, ${count(head.cosigned.length, 'cosignature')}: ${count(events.length, 'event')}`);
  if (head.unchecked > 0) print(`not checked: ${count(head.unchecked, 'signature')} of the tree head, by keys that the policy does not name, or a second one by a key`);
  for (const [stream, job] of ledger.jobs) {
    print(`${stream.slice('job-'.length)}: ${job.end?.type ?? 'no end'}, submitted by ${job.by} at position ${job.event.position}, ${count(job.versions, 'event')}`);
    for (const { by, position, data: { receipt } } of job.results)
      for (const output of receipt.outputs) print(`  ${by} at position ${position}: ${output.name} ${output.sha256}`);
    for (const { by, position, type } of job.findings) print(`  ${type} by ${by} at position ${position}`);
  }
}

if (process.argv.length !== 4) {
  console.error('node verify-bundle.mjs BUNDLE POLICY');
  process.exit(2);
}
const read = file => {
  try {
    return readFileSync(file);
  } catch (error) {
    console.error(safe(error.code === 'ENOENT' || error.code === 'ENOTDIR' ? `there is no file ${file}` : error.message));
    process.exit(error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 3 : error.code === 'EISDIR' ? 2 : 1);
  }
};
let policy;
const text = read(process.argv[3]).toString();
try {
  policy = readPolicy(text);
} catch (error) {
  console.error(safe(`${process.argv[3]} is no policy: ${error.message}`));
  process.exit(2);
}
const archive = read(process.argv[2]);
let proven = null;
try {
  proven = verifyBundle(archive, policy);
} catch (error) {
  faults.push(error.message);
}
for (const fault of faults) print(`FAULT ${fault}`);
if (faults.length === 0) say(proven);
print(faults.length === 0 ? 'proven' : count(faults.length, 'fault'));
process.exitCode = faults.length === 0 ? 0 : 4;
