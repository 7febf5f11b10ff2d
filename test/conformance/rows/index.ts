/** Every file of rows, by the sections of the RFCs. */
import './general.js';
import './security.js';
import './discovery.js';
import './relay.js';
import './negotiation.js';
import './flooding.js';
import './sessions.js';
import './messages.js';
import './messages-discovery.js';
import './messages-negotiation.js';
import './messages-flood.js';
import './options.js';
import './objectives.js';
import './api-general.js';
import './api-procedures.js';
import './acp.js';
