/** The package as users import it: bundled files, each class in there once, whatever a module looks for found. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { printed, root } from './root.js';

test('an ASA in a thread of its own meets the classes that it imports', async () => {
  const asa = pathToFileURL(join(root, 'dist/test/tooling/asas/thrower.js')).href;
  const program = `
    import { Grasp, GraspError, SimulatedNetwork } from 'anima-grasp';
    const node = new SimulatedNetwork().addNode('a', { links: ['street'] });
    const grasp = await Grasp.start({ substrate: { kind: 'simulated', node } });
    const spawned = await grasp.spawnAsa(new URL(${JSON.stringify(asa)}), { name: 'Thrower' });
    const ended = await spawned.done.catch((error) => error);
    await grasp.close();
    console.log(JSON.stringify([ended instanceof GraspError, ended.code, ended.detail]));`;
  expect(JSON.parse(await printed(program))).toEqual([true, 1, 'of the same class']);
});

test('the facade and the inspector are of the same package, and what they read is found', async () => {
  const program = `
    import { Grasp, GraspError, SimulatedNetwork } from 'anima-grasp';
    import { serveInspector } from 'anima-grasp/inspector';
    import graspi from 'anima-grasp/graspi';
    const node = new SimulatedNetwork().addNode('a', { links: ['street'] });
    const grasp = await Grasp.start({ substrate: { kind: 'simulated', node } });
    // Reads the package's version.
    const inspector = await serveInspector(grasp, { port: 0 });
    const found = [];
    for (const path of ['/', '/page/main.js', '/model/model.js']) {
      found.push((await fetch(new URL(path, inspector.url))).status);
    }
    const refused = await serveInspector(grasp, { port: -1 }).catch((error) => error);
    await inspector.close();
    await grasp.close();
    console.log(JSON.stringify([found, refused instanceof GraspError, typeof graspi.register_asa]));`;
  expect(JSON.parse(await printed(program))).toEqual([[200, 200, 200], true, 'function']);
});
