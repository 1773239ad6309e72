//! QEMU's own monitor (QMP), reached through libvirt, for what libvirt does by other means: it
//! reverts a running machine by a new process, where QEMU needs none.

use serde_json::{Value, json};
use virt::domain::Domain;

use super::message;

/// The monitor of a running domain. A failure is what libvirt or QEMU said.
pub(super) struct Monitor<'a>(pub(super) &'a Domain);

impl Monitor<'_> {
    /// Gives a command and waits for what it returns.
    pub(super) fn execute(&self, command: &str, arguments: &Value) -> Result<Value, String> {
        let request = json!({ "execute": command, "arguments": arguments }).to_string();
        let reply = self.0.qemu_monitor_command(&request, 0).map_err(|error| message(&error))?;
        let mut reply: Value = serde_json::from_str(&reply)
            .map_err(|error| format!("QEMU answered {command} with what is no JSON: {error}"))?;
        match reply.get("error") {
            Some(error) => Err(description(error)),
            None => Ok(reply["return"].take()),
        }
    }

    /// Starts a job named `id` and waits until it has ended. A job ends in the same way whether it
    /// has failed or not, and only its error tells.
    ///
    /// Nothing is asked again and again: QEMU works on such a job in the thread that answers the
    /// monitor, so that the answer to the first question after it comes once it is done.
    pub(super) fn job(&self, command: &str, id: &str, arguments: &Value) -> Result<(), String> {
        let mut arguments = arguments.clone();
        arguments["job-id"] = json!(id);
        self.execute(command, &arguments)?;
        loop {
            let jobs = self.execute("query-jobs", &json!({}))?;
            let job = jobs.as_array().into_iter().flatten().find(|job| job["id"] == id);
            let job = job.ok_or_else(|| format!("QEMU has lost the job of {command}"))?;
            if job["status"] == "concluded" {
                let error =
                    job.get("error").map(|error| error.as_str().map_or(error.to_string(), str::to_owned));
                self.execute("job-dismiss", &json!({ "id": id }))?;
                return error.map_or(Ok(()), Err);
            }
        }
    }
}

fn description(error: &Value) -> String {
    error["desc"].as_str().map_or_else(|| error.to_string(), str::to_owned)
}
