//! The command line of stsim. Everything is in the library; see `stsim::cli`.
fn main() -> std::process::ExitCode {
    stsim::cli::main()
}
