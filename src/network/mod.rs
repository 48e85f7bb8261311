//! Services and DNS: cluster DNS with its records, and a resolver.
