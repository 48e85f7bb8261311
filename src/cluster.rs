//! The whole cluster, and its one loop.
//!
//! [`Cluster::step`] takes the earliest event and hands it to the process it belongs to: the table of contents of the
//! simulator. Processes are plain values beside the [`World`] they act on; they meet only in its store.
use crate::api::status::Status;
use crate::config::Config;
use crate::controllers::ControllerManager;
use crate::decision::Moment;
use crate::event::{Event, Process};
use crate::invariants::{Checker, Checks};
use crate::kernel::Time;
use crate::kubelet::Kubelets;
use crate::network::Network;
use crate::scheduler::Scheduler;
use crate::storage::Csi;
use crate::workload::Databases;
use crate::world::{Actor, World};
use serde_json::json;

#[cfg(test)]
mod storage_tests;

/// A simulated cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Clock, queue, store, chance.
    pub world: World,
    /// kube-controller-manager.
    pub manager: ControllerManager,
    /// kube-scheduler.
    pub scheduler: Scheduler,
    /// The kubelets, and what really runs on the nodes.
    pub kubelets: Kubelets,
    /// The CSI driver, and the disks in the cloud.
    pub csi: Csi,
    /// DNS and kube-proxy.
    pub network: Network,
    /// The databases on top, and their clients.
    pub databases: Databases,
    /// Judges every change, if it is on.
    pub checker: Checker,
}

/// What a step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stepped {
    /// Something happened.
    Happened,
    /// An event of the runner is due; it carries the number it was asked for with.
    Runner(u32),
    /// Nothing is left that could happen.
    Nothing,
}

impl Cluster {
    /// An empty cluster: all processes run, there is no node.
    pub fn new(seed: u64, config: Config) -> Cluster {
        Cluster {
            network: Network::new(&config),
            world: World::new(seed, config),
            manager: ControllerManager::default(),
            scheduler: Scheduler::default(),
            kubelets: Kubelets::default(),
            csi: Csi::default(),
            databases: Databases::default(),
            checker: Checker::default(),
        }
    }

    /// Creates what every cluster has before anything is applied: what the API server brings along, and the storage
    /// classes of the EBS driver: `ebs`, the default one, and `ebs-immediate`.
    ///
    /// # Errors
    /// What the API server says if something of it is already there.
    pub fn bootstrap(&mut self) -> Result<(), Status> {
        self.world.actor = Actor::User;
        self.world.bootstrap()?;
        for (name, binding, default) in
            [("ebs", "WaitForFirstConsumer", "true"), ("ebs-immediate", "Immediate", "false")]
        {
            self.world.rest_create(json!({
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": name,
                    "annotations": {"storageclass.kubernetes.io/is-default-class": default},
                },
                "provisioner": "ebs.csi.aws.com",
                "parameters": {"type": "gp3"},
                "reclaimPolicy": "Delete",
                "volumeBindingMode": binding,
                "allowVolumeExpansion": true,
            }))?;
        }
        Ok(())
    }

    /// Judges so much from now on.
    pub fn check(&mut self, checks: Checks) {
        self.checker = Checker::new(checks);
        self.world.keep_moments(checks != Checks::Off);
    }

    /// Handles the next thing that happens.
    pub fn step(&mut self) -> Stepped {
        let stepped = self.dispatch();
        self.end_processes();
        self.look_at_databases();
        if self.checker.is_on() {
            self.checker.look(&mut self.world, &self.kubelets, &self.csi, &self.databases);
        }
        stepped
    }

    /// Processes that a fault ends in the middle of what they do (`afterWrite:`) are gone now.
    fn end_processes(&mut self) {
        while let Some((process, again)) = self.world.ends.pop() {
            self.stop(process);
            if again {
                self.start(process);
            }
        }
    }

    /// Databases take in what has changed. Whoever changes a cluster between two steps calls this.
    pub fn look_at_databases(&mut self) {
        if !self.databases.is_empty() {
            let Cluster { world, kubelets, csi, network, databases, .. } = self;
            databases.look(world, kubelets, csi, network);
        }
    }

    fn dispatch(&mut self) -> Stepped {
        let Some(event) = self.world.pop() else { return Stepped::Nothing };
        let world = &mut self.world;
        match event {
            Event::Deliver(process, epoch) => {
                if epoch == world.epoch(process) {
                    self.deliver(process);
                }
            }
            Event::Sync(..)
            | Event::Requeue(..)
            | Event::Call(..)
            | Event::Nodes(_)
            | Event::Binder(_)
            | Event::Collect(..) => {
                if world.is_running(Process::ControllerManager) {
                    self.manager.handle(event, world);
                }
            }
            Event::Scheduler(event) => {
                if world.is_running(Process::Scheduler) {
                    world.actor = Actor::Scheduler;
                    self.scheduler.handle(event, world);
                }
            }
            Event::Kubelet(event) => {
                world.actor = Actor::Kubelet;
                self.kubelets.handle(event, world);
            }
            Event::Storage(event) => {
                world.actor = Actor::Provisioner;
                self.csi.handle(event, world);
            }
            Event::Workload(..) => {}
            Event::Runner(what) => return Stepped::Runner(what),
        }
        Stepped::Happened
    }

    /// A watch shows its process what is due.
    fn deliver(&mut self, process: Process) {
        while let Some(change) = self.world.next_delivery(process) {
            match process {
                Process::ControllerManager => self.manager.observe(&change, &mut self.world),
                Process::Scheduler => self.scheduler.observe(&change, &mut self.world),
                Process::CsiController => self.csi.observe(&change, &mut self.world),
                Process::KubeProxy => self.network.observe(&change, &self.world),
                Process::CoreDns => {}
            }
        }
        self.world.delivered(process);
    }

    /// Handles everything that is due up to and including `until`. The clock ends at the last event handled.
    pub fn run_until(&mut self, until: Time) {
        while self.world.exceeded.is_none() && self.world.next_time().is_some_and(|time| time <= until) {
            self.step();
        }
    }

    /// Handles events until only periodic work and endless back-off is left, or `until`.
    pub fn run_until_settled(&mut self, until: Time) {
        while !self.world.is_settled()
            && self.world.exceeded.is_none()
            && self.world.next_time().is_some_and(|time| time <= until)
        {
            self.step();
        }
    }

    /// Stops a process: what it holds in memory is lost.
    pub fn stop(&mut self, process: Process) {
        if !self.world.is_running(process) {
            return;
        }
        self.network.stop(process, &self.world);
        self.world.stop(process);
        match process {
            Process::ControllerManager => {
                self.manager.stop();
                self.world.note(|| Moment::Stopped);
            }
            Process::Scheduler => self.scheduler = Scheduler::default(),
            Process::CsiController => self.csi.stop(),
            Process::CoreDns | Process::KubeProxy => {}
        }
    }

    /// Starts a stopped process: it lists everything and begins anew.
    pub fn start(&mut self, process: Process) {
        if self.world.is_running(process) {
            return;
        }
        self.world.start(process);
        match process {
            Process::ControllerManager => self.manager.restart(&mut self.world),
            Process::Scheduler => self.scheduler.restart(&mut self.world),
            Process::CsiController => self.csi.restart(&mut self.world),
            Process::CoreDns | Process::KubeProxy => self.network.restart(process, &self.world),
        }
    }
}
