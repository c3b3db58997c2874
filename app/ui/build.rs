//! Compiles the screens with their translations.

fn main() {
    println!("cargo::rerun-if-changed=../lang");
    let config = slint_build::CompilerConfiguration::new()
        .with_style("fluent".into())
        .with_bundled_translations("../lang")
        .with_default_translation_context(slint_build::DefaultTranslationContext::None)
        // Without it, tests can't find an element by its label.
        .with_debug_info(true);
    // A build without its screens must stop here, with the compiler's words.
    slint_build::compile_with_config("tablet.slint", config).expect("the screens compile");
}
