"""Labels of the processes that make jets."""

QCD, TOP, AACHEN, HEIDELBERG = 0, 3, 4, 5

#: Labels of the processes that make jets.
JET_LABELS = {
    "background": QCD, "qcd": QCD, "qcd-jets": QCD, "top": TOP, "ttbar": TOP, "aachen": AACHEN,
    "heidelberg": HEIDELBERG,
}  # fmt: skip

#: Names of the labels.
JET_LABEL_NAMES = {QCD: "QCD", TOP: "top", AACHEN: "Aachen", HEIDELBERG: "Heidelberg"}
