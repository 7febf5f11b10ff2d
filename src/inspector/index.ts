/**
 * inspector: an edge on the public API: a page that shows what engines do. The server (this folder) records an
 * inspection and serves it; `page` runs in the browser; `model` is what both the page and tests make of the feed, pure.
 * May import: api, protocol; types of runtime. What users import as `anima-grasp/inspector`.
 */
export { DEFAULT_INSPECTOR_LIMITS, DEFAULT_INSPECTOR_PORT, type InspectorLimits } from './limits.js';
export type { Inspectable } from './recorder.js';
export {
  serveInspector,
  type InspectorOptions,
  type InspectorServer,
  type InspectorSubject,
} from './server.js';
