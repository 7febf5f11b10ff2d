/**
 * Briggs, the banker: floods EX1, has EX2 synchronized, and negotiates EX3 with any number of askers at a time, for
 * ever. Written with the facade `anima-grasp/graspi` in the manner of an ASA of the Python prototype, whose Gray and
 * Briggs it can meet on a link.
 *
 *     npm run build
 *     node examples/briggs.js -i eth0 --insecure [--every 60000] [--think 10000] [--test]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import graspi, { cbor, errors, etext } from 'anima-grasp/graspi';

const { values: options } = parseArgs({
  options: {
    interface: { type: 'string', short: 'i', multiple: true },
    insecure: { type: 'boolean', default: false },
    every: { type: 'string', default: '60000' },
    think: { type: 'string', default: '10000' },
    test: { type: 'boolean', default: false },
  },
});
const think = Number(options.think);
const between = (least, most) => least + Math.floor(Math.random() * (most - least + 1));

graspi.configure({
  insecure: options.insecure,
  ...(options.interface ? { interfaces: options.interface } : {}),
});
graspi.skip_dialogue(options.test);

const [err, asa_handle] = await graspi.register_asa('Briggs');
if (err) {
  console.error('Cannot register:', etext[err], graspi.last_error?.message);
  process.exit(3);
}

const obj1 = new graspi.objective('EX1');
obj1.loop_count = 4;
obj1.synch = true;
const obj2 = new graspi.objective('EX2');
obj2.loop_count = 4;
obj2.synch = true;
obj2.value = [1, 'two', 3];
const obj3 = new graspi.objective('EX3');
obj3.neg = true;
obj3.dry = true;
obj3.value = ['NZD', 0];
for (const [obj, keywords] of [
  [obj1, {}],
  [obj2, { rapid: true }],
  [obj3, { overlap: true }],
]) {
  const err = await graspi.register_obj(asa_handle, obj, keywords);
  if (err) {
    console.error('Cannot register', obj.name, etext[err]);
    process.exit(3);
  }
}

/** EX1 is flooded for ever; receivers keep it a little less than the time between two floods. */
async function flooder() {
  for (;;) {
    obj1.value = `${new Date().toISOString()} from Briggs`;
    const tagged = new graspi.tagged_objective(obj1, null);
    const err = await graspi.flood(asa_handle, Math.max(1, Number(options.every) - 1000), [tagged]);
    if (err) graspi.tprint('flood failed:', etext[err]);
    await sleep(Number(options.every));
  }
}

/** How a session ended, in one line. */
function ended(err, value, reason) {
  if (!err) graspi.tprint('ended: agreed', JSON.stringify(value));
  else if (err === errors.declined) graspi.tprint('ended: declined', JSON.stringify(reason));
  else graspi.tprint('ended: failed', err, etext[err]);
}

async function decline(session, reason) {
  const err = await graspi.end_negotiate(asa_handle, session, false, reason);
  return err ? ended(err) : ended(errors.declined, null, reason);
}

/** One negotiation: half of what there is, then ten more with every answer, up to 60 %. */
async function negotiator(session, answer, reserves) {
  // A value in tag 24 is bytes here; it is answered in the same form.
  const wrapped = answer.value instanceof Uint8Array;
  const opened = (value) => (value instanceof Uint8Array ? cbor.loads(value) : value);
  const closed = (value) => (wrapped ? cbor.dumps(value) : value);
  let [currency, asked] = opened(answer.value);
  graspi.tprint('asked for', currency, asked, answer.dry ? '(dry run)' : '', wrapped ? '(tag 24)' : '');
  if (currency !== 'NZD') return decline(session, 'Invalid currency');
  if (asked <= reserves / 2) {
    const err = await graspi.end_negotiate(asa_handle, session, true);
    return ended(err, [currency, asked]);
  }
  let offer = Math.floor(reserves / 2);
  for (;;) {
    const offered = [currency, offer];
    answer.value = closed(offered);
    const [err, more, next, reason] = await graspi.negotiate_step(asa_handle, session, answer, 1000);
    if (err || !more) return ended(err, offered, reason);
    answer = next;
    [, asked] = opened(answer.value);
    graspi.ttprint('asked for', asked, 'loop count', answer.loop_count);
    if (Math.random() < 0.5) {
      // For no reason but to show that the asker has patience when it is asked for.
      graspi.ttprint('thinking', etext[await graspi.negotiate_wait(asa_handle, session, 2 * think)]);
      await sleep(think);
    }
    if (offer >= 0.6 * reserves) {
      return decline(session, reserves % 2 ? 'Insufficient funds' : 'Недостаточно средств');
    }
    // Always a little mean.
    offer = Math.min(offer + 10, asked - 1);
  }
}

if (process.stdout.isTTY) graspi.init_bubble_text('Briggs');
void flooder();
const listening = await graspi.listen_synchronize(asa_handle, obj2);
graspi.tprint('ready', etext[listening]);
for (;;) {
  const reserves = between(100, 400);
  const [err, session, answer] = await graspi.listen_negotiate(asa_handle, obj3);
  if (err) {
    graspi.tprint('listen_negotiate:', etext[err]);
    await sleep(5000);
  } else {
    // Not awaited: the next one is listened for at once.
    void negotiator(session, answer, reserves);
  }
}
