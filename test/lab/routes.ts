/**
 * Routes between the links of a lab, so that what discovery finds behind relays can be reached: GRASP itself goes
 * link by link, sessions go wherever the network takes them (in an ACP its routing protocol would do this).
 */
import type { Lab, LabPlan } from './netns.js';

/** Gives each node a route to each link it is not on, by the fewest hops, and makes it forward. */
export async function addRoutes(lab: Lab, plan: LabPlan): Promise<void> {
  const links = Object.entries(plan.links);
  await Promise.all(
    plan.nodes.map(async (node) => {
      await lab.run(node, ['sh', '-ec', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding']);
      for (const { link, via, by } of routesOf(node, links)) {
        const [first] = plan.links[link]!;
        const prefix = `${lab.addresses(first!, link).ula!.split('::')[0]!}::/64`;
        await lab.ip(node, '-6', 'route', 'add', prefix, 'via', lab.addresses(via, by).ula!, 'dev', by);
      }
    }),
  );
}

interface Route {
  readonly link: string;
  readonly via: string;
  /** The own link that the next hop is on. */
  readonly by: string;
}

type Links = readonly (readonly [string, readonly string[]])[];

function routesOf(node: string, links: Links): Route[] {
  const on = (who: string): string[] => links.filter(([, members]) => members.includes(who)).map(([l]) => l);
  const known = new Set(on(node));
  const seen = new Set([node]);
  const routes: Route[] = [];
  let edge = links.flatMap(([by, members]) =>
    members.includes(node) ? members.filter((m) => m !== node).map((m) => ({ at: m, via: m, by })) : [],
  );
  while (edge.length > 0) {
    const next: typeof edge = [];
    for (const { at, via, by } of edge) {
      if (seen.has(at)) continue;
      seen.add(at);
      for (const link of on(at)) {
        if (!known.has(link)) routes.push({ link, via, by });
        known.add(link);
        const members = links.find(([name]) => name === link)![1];
        next.push(...members.map((m) => ({ at: m, via, by })));
      }
    }
    edge = next;
  }
  return routes;
}
