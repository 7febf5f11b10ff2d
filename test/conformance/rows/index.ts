/** Every file of rows, by the sections of the RFCs. */
import './general.js';
import './security.js';
import './discovery.js';
import './relay.js';
import './negotiation.js';
import './flooding.js';
