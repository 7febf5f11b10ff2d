/**
 * Gray, who asks for money: synchronizes EX1 and EX2, then negotiates EX3 as the requester, for ever or `--rounds`
 * times. Written with the facade `anima-grasp/graspi` in the manner of an ASA of the Python prototype, whose Gray
 * and Briggs it can meet on a link.
 *
 *     npm run build
 *     node examples/gray.js -i eth0 --insecure [--rounds 3] [--pause 5000] [--test]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import graspi, { cbor, errors, etext } from 'anima-grasp/graspi';

const { values: options } = parseArgs({
  options: {
    interface: { type: 'string', short: 'i', multiple: true },
    insecure: { type: 'boolean', default: false },
    rounds: { type: 'string', default: 'Infinity' },
    pause: { type: 'string', default: '5000' },
    test: { type: 'boolean', default: false },
  },
});
const pause = Number(options.pause);
const between = (least, most) => least + Math.floor(Math.random() * (most - least + 1));
const chance = () => Math.random() < 0.5;

graspi.configure({
  insecure: options.insecure,
  ...(options.interface ? { interfaces: options.interface } : {}),
});
graspi.skip_dialogue(options.test);

const [err, asa_handle] = await graspi.register_asa('Gray');
if (err) {
  console.error('Cannot register:', etext[err], graspi.last_error?.message);
  process.exit(3);
}

// Read only: nothing to be registered.
const obj1 = new graspi.objective('EX1');
obj1.loop_count = 4;
obj1.synch = true;
const obj2 = new graspi.objective('EX2');
obj2.loop_count = 4;
obj2.synch = true;

// To be negotiated, so it is registered; others in this engine may do the same.
const obj3 = new graspi.objective('EX3');
obj3.neg = true;
const failed = await graspi.register_obj(asa_handle, obj3, { overlap: true });
if (failed) {
  console.error('Cannot register EX3:', etext[failed]);
  process.exit(3);
}
if (process.stdout.isTTY) graspi.init_bubble_text('Gray');

async function show(obj) {
  const [err, result] = await graspi.synchronize(asa_handle, obj, null, 5000);
  if (err) graspi.tprint('no', obj.name, 'yet:', etext[err]);
  else graspi.tprint('synchronized', obj.name, JSON.stringify(result.value));
}

/** Values in tag 24 are bytes here, and are read before they are looked into. */
const opened = (value) => (value instanceof Uint8Array ? cbor.loads(value) : value);

/** How a session ended, in one line. */
function ended(err, value, reason) {
  if (!err) graspi.tprint('ended: agreed', JSON.stringify(value));
  else if (err === errors.declined) graspi.tprint('ended: declined', JSON.stringify(reason));
  else graspi.tprint('ended: failed', err, etext[err]);
}

/** One negotiation: asks, and comes down by a tenth with every answer, to no less than 70 %. */
async function negotiate(peer) {
  const wanted = between(10, 500);
  const least = Math.floor(0.7 * wanted);
  const wrapped = chance();
  const closed = (value) => (wrapped ? cbor.dumps(value) : value);
  // Now and then a currency that the banker does not know.
  const currency = wanted % 7 ? 'NZD' : 'USD';
  obj3.loop_count = between(4, 20);
  obj3.dry = chance();
  obj3.value = closed([currency, wanted]);
  graspi.tprint('asking for', currency, wanted, obj3.dry ? '(dry run)' : '', wrapped ? '(tag 24)' : '');

  let asked = [currency, wanted];
  let [err, session, answer, reason] = await graspi.request_negotiate(asa_handle, obj3, peer, null);
  while (!err && session) {
    const [, offered] = opened(answer.value);
    graspi.ttprint('offered', offered, 'loop count', answer.loop_count);
    const next = Math.floor(0.9 * asked[1]);
    if (offered >= next) {
      err = await graspi.end_negotiate(asa_handle, session, true);
      return ended(err, opened(answer.value));
    }
    if (next < least) {
      err = await graspi.end_negotiate(asa_handle, session, false, 'You are mean!');
      return err ? ended(err) : ended(errors.declined, null, 'You are mean!');
    }
    asked = [currency, next];
    answer.value = closed(asked);
    [err, session, answer, reason] = await graspi.negotiate_step(asa_handle, session, answer, 1000);
  }
  return ended(err, asked, reason);
}

await show(obj1);
await show(obj2);
let failures = 0;
for (let round = 0; round < Number(options.rounds);) {
  // After some failures what is cached may be the trouble.
  const [, found] = await graspi.discover(asa_handle, obj3, 1000, { flush: failures > 3 });
  if (failures > 3) failures = 0;
  if (found.length === 0) {
    graspi.tprint('nobody to ask');
    failures++;
    continue;
  }
  graspi.ttprint('found', found[0].locator, found[0].port);
  await negotiate(found[0]);
  round++;
  await sleep(pause);
  await show(obj1);
  const [err, floods] = await graspi.get_flood(asa_handle, obj1);
  for (const { objective, source } of err ? [] : floods) {
    graspi.tprint('flooded', objective.name, 'from', source?.locator ?? 'nobody named', objective.value);
  }
}
await graspi.deregister_asa(asa_handle, 'Gray');
await graspi.close();
