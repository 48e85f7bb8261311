//! The records of the cluster's DNS server as a table.
use crate::api::names::Sym;
use crate::kubectl::table::Table;
use crate::network::dns::Zone;
use crate::world::World;

/// The records of a namespace (of all, if it is empty) as CoreDNS shows them now; an empty text if there are none.
pub fn dns_records(world: &World, namespace: Sym) -> String {
    let records = Zone::of(world).records(namespace);
    if records.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["Name", "Type", "Value", "TTL"]);
    for record in records {
        let ttl = record.ttl.as_secs().to_string();
        table.row([record.name, record.data.record_type().as_str().to_owned(), record.data.render(), ttl]);
    }
    table.render(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Duration;
    use crate::network::testing::Net;
    use serde_json::json;

    #[test]
    fn a_table_as_kubectl_prints_one() {
        let mut net = Net::new();
        let ports = json!([{"name": "sql", "port": 5432, "targetPort": 5432, "protocol": "TCP"}]);
        let web = net.service("web", &json!({"clusterIP": "None", "ports": ports}));
        net.service(
            "db",
            &json!({"clusterIP": "10.96.45.100", "ports": [{"port": 5432, "protocol": "TCP"}]}),
        );
        let pod = net.pod("web-0", "web");
        net.endpoint(web, pod, 0x0af4_0105, |_| {});
        assert_eq!(dns_records(&net.world, Sym::DEFAULT), "", "the server has seen nothing yet");
        net.catch_up();
        net.world.config.timers.dns_ttl = Duration::from_secs(30);
        assert_eq!(
            dns_records(&net.world, Sym::DEFAULT),
            "\
NAME                                       TYPE   VALUE                                             TTL
db.default.svc.cluster.local.              A      10.96.45.100                                      30
web.default.svc.cluster.local.             A      10.244.1.5                                        30
_sql._tcp.web.default.svc.cluster.local.   SRV    0 100 5432 web-0.web.default.svc.cluster.local.   30
web-0.web.default.svc.cluster.local.       A      10.244.1.5                                        30
"
        );
    }
}
