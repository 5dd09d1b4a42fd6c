// The Mind API, as far as the pages use it.

import { call } from "./http.js";

/** The API seen with one token: an application's, or a participant's. */
export class Mind {
  constructor(applicationId, token) {
    this.applicationId = applicationId;
    this.token = token;
  }

  createConference(name) {
    return call("POST", `/${this.applicationId}`, this.token, { name });
  }

  conference(id) {
    return call("GET", `/${this.applicationId}/${id}/?detailed=true`, this.token);
  }

  renameConference(id, name) {
    return call("PATCH", `/${this.applicationId}/${id}/`, this.token, { name });
  }

  deleteConference(id) {
    return call("DELETE", `/${this.applicationId}/${id}`, this.token);
  }

  createParticipant(conference, name, role) {
    return call("POST", `/${this.applicationId}/${conference}/participants`, this.token, { name, role });
  }

  changeParticipant(conference, id, changes) {
    return call("PATCH", `/${this.applicationId}/${conference}/participants/${id}`, this.token, changes);
  }

  deleteParticipant(conference, id) {
    return call("DELETE", `/${this.applicationId}/${conference}/participants/${id}`, this.token);
  }

  /** Offer in, answer out: begins a session, or carries on the one with the same ICE ufrag. */
  async session(conference, sdp) {
    const answer = await call("POST", `/${this.applicationId}/${conference}/`, this.token, { sdp });
    return answer.sdp;
  }

  sendMessage(conference, sendTo, text) {
    return call("POST", `/${this.applicationId}/${conference}/messages`, this.token, { sendTo, text, persistent: false });
  }

  /** STUN and TURN servers, as `RTCPeerConnection` wants them. Not of the Mind API: the bridge's own. */
  async iceServers() {
    return (await call("GET", "/join/ice", this.token)).iceServers;
  }
}
