"""The analysis: an exported trigger over Delphes files, to efficiencies, ROC curves and ABCD estimates.

Nothing here imports torch: the trigger is an ONNX file.
"""
