//! A name looked up by a pod or a client, and what it got for an answer.
use super::Play;
use crate::api::names::Sym;
use crate::api::objects::Ip;
use crate::fault::Victims;
use crate::kubectl::run::Output;
use crate::network::Asker;
use crate::network::answer::Data;
use crate::scenario::Lookup;
use std::fmt::Write;

impl Play<'_> {
    /// Looks a name up. The output has a line for each question sent, and the answer with its TTL and where it was
    /// known.
    ///
    /// # Errors
    /// A sentence if there is no such pod, or none of its containers runs.
    pub(super) fn look_up(&mut self, lookup: &Lookup) -> Result<Output, String> {
        let (asker, namespace) = self.asker(lookup)?;
        if let Some(keeps) = lookup.cache {
            self.cluster.network.set_client_cache(asker, keeps);
        }
        let found = self.cluster.network.resolve(asker, &namespace, &lookup.name, &self.cluster.world);
        let mut output = Output::default();
        for (name, rcode) in &found.asked {
            let _ = writeln!(output.stdout, "{name} {}", rcode.as_str());
        }
        let answer = &found.answer;
        let records: Vec<_> = answer
            .records
            .iter()
            .filter(|record| matches!(record.data, Data::A(_)))
            .map(|record| record.data.render())
            .collect();
        let what = if records.is_empty() { answer.rcode.as_str().to_owned() } else { records.join(", ") };
        let _ = write!(output.stdout, "{what}");
        if answer.is_known() {
            let _ = write!(output.stdout, " for {} s", answer.ttl.as_secs());
            let _ = write!(output.stdout, ", from {}", found.source.as_str());
        }
        let left = found.until.elapsed_since(self.cluster.world.now());
        if left > Default::default() && !left.is_never() {
            let _ = write!(output.stdout, " until {}", found.until);
        }
        output.stdout.push('\n');
        if let Some(ip) = answer.addresses().next() {
            self.connect(asker, ip, &mut output.stdout);
        }
        Ok(output)
    }

    /// If the address is that of a service: where the rules of the asker's node send a new connection now.
    fn connect(&self, asker: Asker, ip: Ip, text: &mut String) {
        let (world, network) = (&self.cluster.world, &self.cluster.network);
        let services = world.store.services.iter();
        let Some(service) = services.filter(|(_, service)| service.cluster_ip == ip).map(|(id, _)| id).next()
        else {
            return;
        };
        let node = match asker {
            Asker::Pod(pod, _) => world.store.get(pod).map(|pod| pod.node),
            Asker::Client(_) => None,
            Asker::On(node, _) => Some(node),
        };
        let backends: Vec<_> =
            network.backends(node, service, world).iter().map(|endpoint| endpoint.ip.render()).collect();
        let chosen = network.choose(node, service, u64::from(ip.0), world.handled(), world);
        let _ = match chosen {
            None => writeln!(text, "a connection to {} is refused: it has no backend", ip.render()),
            Some(endpoint) => {
                let all = backends.join(", ");
                writeln!(text, "a connection to {} goes to {}, of {all}", ip.render(), endpoint.ip.render())
            }
        };
    }

    fn asker(&self, lookup: &Lookup) -> Result<(Asker, String), String> {
        let Some(target) = &lookup.from else { return Ok((Asker::Client(0), "default".to_owned())) };
        let Victims::Pods(pods) = self.cluster.victims(target)? else {
            return Err("a pod looks up names".into());
        };
        let store = &self.cluster.world.store;
        let running = pods.iter().find_map(|id| {
            let pod = store.get(*id)?;
            let uid = pod.meta.uid;
            self.cluster.kubelets.is_running(*id, uid).then_some((Asker::Pod(*id, uid), pod.meta.namespace))
        });
        let (asker, namespace): (Asker, Sym) =
            running.ok_or_else(|| "no container of that pod runs that could look a name up".to_owned())?;
        Ok((asker, store.names.text(namespace).to_owned()))
    }
}
