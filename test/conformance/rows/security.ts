/** RFC 8990 §2.5.1–§2.5.2, §3: security, DULL instances. */
import { notApplicable, OPEN_SUBSTRATE } from '../rows.js';

notApplicable(
  OPEN_SUBSTRATE,
  'G-2.5.1-02',
  'G-2.5.1-04',
  'G-2.5.1-05',
  'G-2.5.1-06',
  'G-3-02',
  'G-3-03',
  'G-3-04',
);
